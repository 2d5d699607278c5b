"""Errors as pages show them."""

from msgspec import Struct

HELP = "/errors/{code}"


class ProblemView(Struct, frozen=True, kw_only=True):
    """What went wrong, and what to do."""

    status: int
    title: str
    code: str
    detail: str
    next_step: str
    request_id: str = ""
    retry_url: str = ""
    """The page to load again, where that can help."""

    @property
    def help_url(self) -> str:
        """Return the page that explains the code."""
        return HELP.format(code=self.code)
