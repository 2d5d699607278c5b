"""Admission of a request before routing: its path and headers are checked, and the number of requests is bounded.

HEAD is answered on every route like GET, without the body. A stream holds a place among the requests only until it
begins.
"""

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, problem_response
from api.headers import check_headers
from api.live.response import begins_stream
from api.paths import routing_path
from schemas.errors import Code

_ALWAYS = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
"""Paths that are answered under any load: they report the service's health."""
HEAD = "head"
"""Name in the state of a request's scope that is set where the request is a HEAD."""


class AdmissionMiddleware:
    """ASGI middleware between the metrics and the routes; bounds the number of concurrent requests."""

    def __init__(self, app: ASGIApp, max_requests: int) -> None:
        self._app = app
        self._room = Room(max_requests, "requests", "MAX_CONCURRENT_REQUESTS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = routing_path(scope.get("raw_path") or scope["path"].encode())
        if scope["method"] != "HEAD":
            await self._admit(scope, receive, send)
            return
        scope["method"] = "GET"
        scope.setdefault("state", {})[HEAD] = True
        try:
            await self._admit(scope, receive, _without_body(send))
        finally:
            scope["method"] = "HEAD"

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        try:
            check_headers(scope["headers"])
            self._room.enter()
        except Problem as problem:
            await problem_response(Request(scope), problem)(scope, receive, send)
            return
        taken = True

        def leave() -> None:
            nonlocal taken
            if taken:
                taken = False
                self._room.leave()

        async def admitted(message: Message) -> None:
            if begins_stream(message):  # it lasts for hours, and is bounded by MAX_STREAMS
                leave()
            await send(message)

        try:
            await self._app(scope, receive, admitted)
        finally:
            leave()


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return headers_only


class Room:
    """Counts requests in progress, up to a limit. Use it on one event loop only.

    `what` names them in messages, in the plural; `setting` is the name of the setting that holds the limit.
    """

    def __init__(self, limit: int, what: str, setting: str) -> None:
        self._limit = limit
        self._what = what
        self._setting = setting
        self._taken = 0

    def enter(self) -> None:
        """Count one more. Raises `Problem` 503 at the limit; otherwise the caller must call `leave`."""
        if self._taken >= self._limit:
            raise Problem(
                503,
                Code.BUSY,
                f"{self._limit} {self._what} are under way, which is the limit.",
                next_step="Send it again in a moment, with the same Idempotency-Key. The operator can raise "
                f"BATCH_ORCHESTRATOR_SERVICE_{self._setting} or add a replica.",
                error="Service is busy",
                headers={"Retry-After": "1"},
            )
        self._taken += 1

    def leave(self) -> None:
        """Count one less."""
        self._taken -= 1

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self.leave()
