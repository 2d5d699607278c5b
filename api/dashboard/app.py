"""Installs the dashboard into the api: its pages, its static files, and pages for errors of a browser."""

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from api.dashboard.assets import PREFIX, dashboard_assets
from api.dashboard.pages import (
    actions,
    batch,
    batches,
    dead_letter,
    dead_letters,
    decision,
    error_help,
    login,
    operations,
    overview,
    own_views,
    pipelines,
    preferences,
    proof,
    search,
    system,
)
from api.dashboard.routing import problem_page
from api.errors import Problem
from schemas.errors import Code

ROUTERS = (
    overview.router,
    batches.router,
    own_views.router,
    batch.router,
    actions.router,
    decision.router,
    proof.router,
    dead_letters.router,
    dead_letter.router,
    operations.router,
    system.router,
    pipelines.router,
    search.router,
    error_help.router,
    login.router,
    preferences.router,
)
"""The routers of all pages."""
_FOR_EVER = "public, max-age=31536000, immutable"


def install(app: FastAPI) -> None:
    """Add the pages of the dashboard to `app`, which must answer problems already (`api.errors.install`)."""
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    app.add_api_route(PREFIX + "{path:path}", _static, include_in_schema=False)
    as_problem = app.exception_handlers[HTTPException]

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404 and _is_browser(request):
            return problem_page(request, _no_page())
        answer = as_problem(request, error)
        return answer if isinstance(answer, Response) else await answer

    app.add_exception_handler(HTTPException, on_http)


async def _static(request: Request, path: str) -> Response:
    asset = dashboard_assets().at(PREFIX + path)
    if asset is None:
        raise HTTPException(404)
    headers = {
        "Cache-Control": _FOR_EVER,
        "Vary": "Accept-Encoding",
    }
    body = asset.content
    if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=asset.media_type)


def _is_browser(request: Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _no_page() -> Problem:
    return Problem(
        404,
        Code.NO_ROUTE,
        "There is no page at this address.",
        next_step="Search for an id above, or start again from the overview.",
        error="Not found",
    )
