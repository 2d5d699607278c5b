"""Futures of the event loop, grouped by the key that each waits for."""

import asyncio
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Waiters(Generic[Key, Value]):
    """Futures by key. Use it on the event loop only."""

    def __init__(self) -> None:
        self._futures: dict[Key, list[asyncio.Future[Value]]] = {}

    def expect(self, key: Key) -> asyncio.Future[Value]:
        """Return a future for `key`; it is removed when it is done or cancelled."""
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(key, []).append(future)
        future.add_done_callback(lambda done: self._leave(key, done))
        return future

    def wake(self, key: Key, value: Value) -> None:
        """Resolve every future of `key` with `value`."""
        for future in self._futures.get(key, ()):
            if not future.done():
                future.set_result(value)

    def _leave(self, key: Key, future: asyncio.Future[Value]) -> None:
        futures = self._futures.get(key)
        if futures is not None:
            futures.remove(future)
            if not futures:
                del self._futures[key]


async def within(future: "asyncio.Future[Value]", timeout_s: float) -> bool:
    """Wait for a future up to `timeout_s` seconds; on a timeout, cancel it and return False.

    A cancellation at shutdown returns False too, so that the handler can still answer 503.
    """
    try:
        await asyncio.wait_for(future, max(timeout_s, 0))
    except (TimeoutError, asyncio.CancelledError):
        return False
    return True
