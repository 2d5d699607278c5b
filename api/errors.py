"""Errors as clients see them: problem+json (RFC 9457), with the original service's `error` and `details`."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from schemas.errors import Code, InvalidCursor, InvalidFilter, InvalidRequest, OrchestratorError

CORRELATION_HEADER = "X-Correlation-ID"
MEDIA_TYPE = "application/problem+json"
_AGAIN = "Send the request again in a moment; if it fails again, /healthz says what is wrong."


class Problem(OrchestratorError):
    """Ends a request with an error.

    `code` is stable (`ORC-…`, documented in docs/errors), `next_step` says what the client can do, `error` is the
    short text that the original service sent, `details` are JSON-safe objects, `extra` are further members of the body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        next_step: str,
        error: str,
        details: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, next_step=next_step, code=code)
        self.status = status
        self.error = error
        self.details = details
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self, instance: str) -> dict[str, Any]:
        """Return the JSON body; `instance` is the requested path."""
        body: dict[str, Any] = {
            "type": f"urn:batch-orchestrator:error:{self.code}",
            "title": self.error,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "next_step": self.next_step,
            "instance": instance,
            "error": self.error,
        }
        if self.details is not None:
            body["details"] = self.details
        return body | self.extra


def invalid_body(error: InvalidRequest) -> Problem:
    """Return the problem of a body that breaks its model."""
    return Problem(
        400,
        error.code,
        error.message,
        next_step=error.next_step,
        error="Validation Error",
        details=[dict(fault) for fault in error.details],
    )


def invalid_query(error: InvalidFilter | InvalidCursor) -> Problem:
    """Return the problem of a list that was asked for with a filter or a cursor that cannot be used."""
    name = error.name if isinstance(error, InvalidFilter) else "cursor"
    return Problem(
        400,
        error.code,
        error.message,
        next_step=error.next_step,
        error="Validation Error",
        details=[{"type": "value_error", "loc": ["query", name], "msg": error.message}],
    )


def not_ready(detail: str, *, next_step: str = _AGAIN, retry_after_s: int = 1) -> Problem:
    """Return the problem of what this process, or the projection, cannot tell now."""
    return Problem(
        503,
        Code.NOT_READY,
        detail,
        next_step=next_step,
        error="Service is not ready",
        headers={"Retry-After": str(retry_after_s)},
    )


def kafka_unavailable(
    detail: str,
    *,
    next_step: str,
    code: str = Code.BROKER,
    location: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Problem:
    """Return the problem of a record that Kafka has not acknowledged; `location` is where its outcome will show."""
    headers = {"Retry-After": "2"} | ({} if location is None else {"Location": location})
    return Problem(503, code, detail, next_step=next_step, error="Kafka is not available", headers=headers, extra=extra)


def batch_not_found(batch_id: str) -> Problem:
    """Return the problem of a batch that does not exist, or that the caller may not reach: the two look alike."""
    return Problem(
        404,
        Code.BATCH_NOT_FOUND,
        "There is no such batch, or it belongs to somebody else.",
        next_step="Check the id, and that X-User-ID and X-Org-ID name the batch's owner.",
        error="Batch not found",
        extra={"batch_id": batch_id[:255]},
    )


def install(app: FastAPI) -> None:
    """Register handlers that answer every error of `app` as a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(InvalidFilter, _on_invalid_query)
    app.add_exception_handler(InvalidCursor, _on_invalid_query)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_parameters)
    app.add_exception_handler(Exception, _on_defect)


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """Return the response to `request`, with its correlation id."""
    correlation = getattr(request.state, "correlation_id", None)
    headers = dict(problem.headers)
    extra = {}
    if correlation is not None:
        headers.setdefault(CORRELATION_HEADER, correlation)
        extra = {"correlation_id": correlation}
    body = extra | problem.body(request.url.path)
    return JSONResponse(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


async def _on_problem(request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return problem_response(request, problem)


async def _on_invalid_query(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InvalidFilter | InvalidCursor)
    return problem_response(request, invalid_query(error))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        problem = Problem(
            404,
            Code.NO_ROUTE,
            "There is nothing at this path.",
            next_step="Look at /docs for the paths that exist.",
            error="Not found",
        )
    elif error.status_code == 405:
        problem = Problem(
            405,
            Code.METHOD,
            f"{request.method} is not possible here.",
            next_step="Use a method that the Allow header names.",
            error="Method not allowed",
            headers={"Allow": _allowed(request) or (error.headers or {}).get("Allow", "")},
        )
    else:
        problem = Problem(
            error.status_code,
            Code.BAD_REQUEST,
            str(error.detail),
            next_step="Correct the request, then send it again.",
            error=str(error.detail),
            headers=error.headers,
        )
    return problem_response(request, problem)


def _allowed(request: Request) -> str:
    """Return the methods of all routes that have the path template which the requested path matches first.

    The error itself knows those of the first route alone.
    """
    template: str | None = None
    methods: set[str] = set()
    for included in request.app.routes:
        # FastAPI keeps a router that was included as one route of its own, around the routes that it had.
        router = getattr(included, "original_router", None)
        for route in [included] if router is None else router.routes:
            if route.matches(request.scope)[0] is Match.NONE:
                continue
            template = template or route.path
            if route.path == template:
                methods |= route.methods or set()
    return ", ".join(sorted(methods))


async def _on_parameters(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = [
        {"loc": [str(part) for part in item["loc"]], "msg": item["msg"], "type": item["type"]}
        for item in error.errors()
    ]
    problem = Problem(
        400,
        Code.VALIDATION,
        "; ".join(f"{'.'.join(item['loc'])}: {item['msg']}" for item in details),
        next_step="Correct the parameters named in details, then send the request again.",
        error="Validation Error",
        details=details,
    )
    return problem_response(request, problem)


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    del error  # logged where it was raised; its text may hold data that the client must not see
    problem = Problem(
        500,
        Code.INTERNAL,
        "The service failed on this request.",
        next_step="Send it again with the same Idempotency-Key; if it fails again, report the correlation id.",
        error="Internal error",
    )
    return problem_response(request, problem)
