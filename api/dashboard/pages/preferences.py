"""What a reader chooses for this browser: light or dark colours."""

from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.dashboard.forms import read_form
from api.dashboard.rendering import THEME_COOKIE, THEMES
from api.dashboard.routing import page_router

router = page_router()
_YEAR_S = 365 * 86_400


@router.post("/theme")
async def choose_theme(request: Request) -> Response:
    """Keep the colours in a cookie, and return to the page that the form was on."""
    chosen = (await read_form(request)).get("theme", "")
    back = urlsplit(request.headers.get("referer", ""))
    path = back.path if back.netloc == request.headers.get("host", "") and back.path.startswith("/") else "/"
    path = "/" + path.lstrip("/")  # two slashes at the beginning would lead to another host
    answer = RedirectResponse(f"{path}?{back.query}" if back.query else path, status_code=303)
    if chosen in THEMES:
        answer.set_cookie(THEME_COOKIE, chosen, max_age=_YEAR_S, samesite="strict", path="/")
    else:
        answer.delete_cookie(THEME_COOKIE, samesite="strict", path="/")
    return answer
