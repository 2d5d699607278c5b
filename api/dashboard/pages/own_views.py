"""Saving the filter of the list of batches under a name, and forgetting it."""

from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.dashboard.forms import read_form, text_field
from api.dashboard.pages.batches import filter_of
from api.dashboard.rendering import now_of
from api.dashboard.routing import page_router
from api.dashboard.views.filters import given, query_of
from api.dashboard.views.links import list_url
from api.dashboard.views.own_views import (
    MOST_BYTES,
    MOST_NAME,
    MOST_VIEWS,
    VIEWS_COOKIE,
    OwnView,
    cookie_of,
    read_views,
    with_view,
    without_view,
)
from api.errors import Problem
from schemas.errors import Code

router = page_router()
_YEAR_S = 365 * 86_400


@router.post("/batches/views")
async def save_view(request: Request) -> Response:
    """Keep the filter under the name in a cookie, or forget that name; return to the list."""
    form = await read_form(request)
    name, items = text_field(form, "name"), given(parse_qsl(text_field(form, "filter")))
    views = read_views(request.cookies.get(VIEWS_COOKIE, ""))
    forgotten = "forget" in form
    kept = without_view(views, name) if forgotten else with_view(views, OwnView(name, urlencode(items)))
    if not forgotten:
        filter_of(items, now_of(request))
        _check(name, kept)
    answer = RedirectResponse(list_url(query_of(items)), status_code=303)
    if kept:
        answer.set_cookie(VIEWS_COOKIE, cookie_of(kept), max_age=_YEAR_S, httponly=True, samesite="strict", path="/")
    else:
        answer.delete_cookie(VIEWS_COOKIE, httponly=True, samesite="strict", path="/")
    return answer


def _check(name: str, views: tuple[OwnView, ...]) -> None:
    if not name or len(name) > MOST_NAME:
        raise _refused(f"a name has 1 to {MOST_NAME} characters", "Give it a short name.")
    if len(views) > MOST_VIEWS or len(cookie_of(views)) > MOST_BYTES:
        raise _refused(
            f"a browser keeps {MOST_VIEWS} views, and {MOST_BYTES:,} bytes of them", "Forget one that is not needed."
        )


def _refused(why: str, next_step: str) -> Problem:
    return Problem(
        400, Code.BAD_REQUEST, f"The view cannot be saved: {why}.", next_step=next_step, error="View not saved"
    )
