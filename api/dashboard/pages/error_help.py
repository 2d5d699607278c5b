"""What an error code means, at `/errors/CODE`."""

from fastapi import Request, Response

from api.dashboard.error_pages import error_help as help_of
from api.dashboard.rendering import render
from api.dashboard.routing import page_router
from api.errors import Problem
from schemas.errors import Code

router = page_router()


@router.get("/errors/{code}")
async def error_help(request: Request, code: str) -> Response:
    """Return the explanation of an error code."""
    text = help_of(code)
    if text is None:
        raise Problem(
            404,
            Code.NO_ROUTE,
            "There is no such error code.",
            next_step=f"Check its spelling: codes look like {Code.BATCH_NOT_FOUND}.",
            error="Not found",
        )
    return render(request, "error_help.html", active="", title=code, code=code, text=text)
