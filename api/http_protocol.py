"""The server side of a connection: a timeout for the head of each request, and an end of streams at shutdown."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

CONNECTION = "connection"
"""Name of the `ConnectionControl` in the state of a request's scope; absent under another server."""


class ConnectionControl:
    """What a response that lasts can do with its connection, and is told about it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.at_shutdown: Callable[[], None] | None = None
        """Called when the server begins to stop; it would wait for the end of this response."""

    def abort(self) -> None:
        """Cut the connection at once; what was not sent yet is thrown away."""
        self._transport.abort()


class BoundedHeadProtocol(H11Protocol):
    """Closes a connection if the head of its request is incomplete after `head_timeout_s` seconds.

    The time starts when the connection opens, and for later requests with their first byte. uvicorn has no such
    timeout, so a few clients could hold every file descriptor. Between two requests uvicorn's own
    `timeout_keep_alive` applies.
    """

    def __init__(self, *args: Any, head_timeout_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout for the first request."""
        super().connection_made(transport)
        self._control = ConnectionControl(transport)
        self.app_state = self.app_state | {CONNECTION: self._control}
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take in bytes; stop the timeout when a head is complete, and start it with the bytes of the next one."""
        super().data_received(data)
        if self._in_request():
            self._end_wait()
        elif self._head_timer is None and self.timeout_keep_alive_task is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_wait()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Begin to stop: end a stream on this connection, which would go on until the server's patience is over."""
        super().shutdown()
        if self._control.at_shutdown is not None:
            self._control.at_shutdown()

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_timeout_s, self._give_up)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self._in_request():
            self.transport.close()

    def _in_request(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request, whatever its type says
        return cycle is not None and not cycle.response_complete
