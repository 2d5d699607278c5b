"""Routers of pages: an error becomes a page that says what to do, in place of JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from api.dashboard.rendering import render
from api.dashboard.views.problem import ProblemView
from api.errors import Problem
from schemas.errors import Code, OrchestratorError

_RETRY = frozenset({408, 429, 500, 502, 503, 504})
_NOT_ON_PAGES = frozenset({"content-length", "content-type", "etag"})


class PageRoute(APIRoute):
    """A route of a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which answers a problem as a page."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return problem_page(request, problem)
            except RequestValidationError as error:
                return problem_page(request, _invalid(error))
            except OrchestratorError as error:
                return problem_page(request, _unavailable(error))

        return answer


def page_router() -> APIRouter:
    """Return a router for pages. They are no part of the documented HTTP interface."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, default_response_class=HTMLResponse)


def problem_page(request: Request, problem: Problem, *, active: str = "") -> Response:
    """Return the page of a problem."""
    view = ProblemView(
        status=problem.status,
        title=problem.error,
        code=problem.code,
        detail=problem.message,
        next_step=problem.next_step,
        request_id=getattr(request.state, "correlation_id", ""),
        retry_url=_here(request) if problem.status in _RETRY and request.method == "GET" else "",
    )
    response = render(request, "problem.html", active=active, title=problem.error, status=problem.status, problem=view)
    response.headers.update({k: v for k, v in problem.headers.items() if k.lower() not in _NOT_ON_PAGES})
    return response


def _here(request: Request) -> str:
    return str(request.url.replace(scheme="", netloc=""))


def _invalid(error: RequestValidationError) -> Problem:
    faults = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
    return Problem(
        400,
        Code.VALIDATION,
        f"The address of this page cannot be used: {faults}.",
        next_step="Correct the address, or start again from the overview.",
        error="Validation Error",
    )


def _unavailable(error: OrchestratorError) -> Problem:
    return Problem(503, error.code, error.message, next_step=error.next_step, error="Not available now")
