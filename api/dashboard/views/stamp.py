"""How new the content of a page is."""

from msgspec import Struct


class Stamp(Struct, frozen=True, kw_only=True):
    """The freshness of a page."""

    as_of_ms: int | None = None
    """Append time of the newest record that the page reflects, Unix milliseconds."""
    stale: str = ""
    """Why the page is not current; empty while it is."""
