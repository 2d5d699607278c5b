"""Logging in with an API key, which a cookie keeps that only the api's own pages send."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.access.authenticate import COOKIE, Authenticator
from api.dashboard.forms import read_form
from api.dashboard.rendering import render
from api.dashboard.routing import page_router

router = page_router()
_SHIFT_S = 12 * 3_600
"""Seconds that a login lasts: a working day."""


@router.get("/login")
async def show_login(request: Request) -> Response:
    """Show the form."""
    return _form(request, _inner(request.query_params.get("next", "")))


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Keep a valid key in the cookie and go on to the page that was wanted; otherwise show the form again."""
    form = await read_form(request)
    key, wanted = form.get("key", "").strip(), _inner(form.get("next", ""))
    authenticator: Authenticator = request.app.state.authenticator
    if not authenticator.knows(key):
        return _form(request, wanted, refused=True)
    answer = RedirectResponse(wanted, status_code=303)
    answer.set_cookie(
        COOKIE,
        key,
        max_age=_SHIFT_S,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.headers.get("x-forwarded-proto", request.url.scheme) == "https",
    )
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:  # noqa: ARG001 - the form of a route
    """Forget the key."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _form(request: Request, wanted: str, *, refused: bool = False) -> Response:
    status = 401 if refused else 200
    return render(request, "login.html", active="", title="Log in", status=status, wanted=wanted, refused=refused)


def _inner(path: str) -> str:
    """Return the path of a page of this api: an address of another host would lead away from it."""
    return "/" + path.lstrip("/\\") if path.isprintable() else "/"
