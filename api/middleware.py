"""Middleware around every request: correlation id, metrics, and a log line for a failure."""

import time
from uuid import UUID, uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import CORRELATION_HEADER
from api.live.response import begins_stream
from api.monitoring.metrics import ApiMetrics
from runtime.logs import get_logger

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "unmatched"
_logger = get_logger("api.http")


class RequestMetricsMiddleware:
    """Sets the correlation id and counts the request; the outermost ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and record its status and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = correlation_of(Headers(scope=scope).get(CORRELATION_HEADER))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        status, counted = 500, False
        started = time.perf_counter()

        def count() -> None:
            nonlocal counted
            if not counted:
                counted = True
                self._count(scope, status, time.perf_counter() - started, correlation_id)

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).setdefault(CORRELATION_HEADER, correlation_id)
                if begins_stream(message):
                    count()  # now: it lasts for as long as its client wants, which is no slow request
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            count()

    def _count(self, scope: Scope, status: int, seconds: float, correlation_id: str) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        endpoint = getattr(scope.get("route"), "path", _UNMATCHED)
        self._metrics.requests.labels(method, endpoint, str(status)).inc()
        self._metrics.seconds.labels(method, endpoint).observe(seconds)
        if status >= 500:
            _logger.warning(
                "request_failed", method=method, endpoint=endpoint, status=status, correlation_id=correlation_id
            )


def correlation_of(header: str | None) -> str:
    """Return the caller's correlation id if it is a UUID, otherwise a new one."""
    try:
        given = UUID(header or "")
    except ValueError:
        return str(uuid4())
    return str(given) if given.int else str(uuid4())
