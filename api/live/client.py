"""One client of a stream: what waits to be sent to it, bounded in bytes."""

import asyncio
from collections import deque
from collections.abc import Callable

MOST_WAITING_BYTES = 262_144
"""Bytes that may wait for one client. The events themselves are shared by all clients of a stream."""


class Client:
    """Hands events from the hub to the response that sends them. Use it on the event loop only."""

    def __init__(self, *, slow: Callable[[], bytes], most_bytes: int = MOST_WAITING_BYTES) -> None:
        self._slow = slow
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._wake: asyncio.Future[None] | None = None
        self.reason: str | None = None
        """Why the hub has ended it; None while it goes on, and where the client itself has gone."""
        self.expires: asyncio.TimerHandle | None = None
        """Ends the stream when it has been open for long enough."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is taken for it."""
        return self._ended

    def offer(self, event: bytes) -> None:
        """Send an event when the client can take it; a client with too much waiting is dropped."""
        if self._ended:
            return
        if self._bytes + len(event) > self._most_bytes:
            self.drop("slow", self._slow())
            return
        self._waiting.append(event)
        self._bytes += len(event)
        self._notify()

    def drop(self, reason: str, event: bytes) -> None:
        """End the stream with `event`, in place of everything that still waits."""
        if self._ended:
            return
        self.reason = reason
        self._waiting = deque([event])
        self._end()

    def leave(self) -> None:
        """End the stream because the client has gone."""
        self._waiting.clear()
        self._end()

    async def next(self) -> bytes | None:
        """Return everything that waits, as one text; None once the stream has ended and all of it was returned."""
        while not self._waiting:
            if self._ended:
                return None
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        found = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return found

    def _end(self) -> None:
        self._ended = True
        self._bytes = 0
        if self.expires is not None:
            self.expires.cancel()
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
