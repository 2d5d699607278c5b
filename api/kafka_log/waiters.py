"""Futures by what they wait for."""

import asyncio
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Waiters(Generic[Key, Value]):
    """Futures by what they wait for. For the event loop alone."""

    def __init__(self) -> None:
        self._futures: dict[Key, list[asyncio.Future[Value]]] = {}

    def expect(self, key: Key) -> asyncio.Future[Value]:
        """Return a future for `key`; it leaves by itself when it is done or cancelled."""
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(key, []).append(future)
        future.add_done_callback(lambda done: self._leave(key, done))
        return future

    def wake(self, key: Key, value: Value) -> None:
        """Give `value` to whoever waits for `key`."""
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
    """Wait for a future up to `timeout_s`; False, and the future cancelled, where it isn't done by then.

    So too where the server stops: it cancels the requests that are still under way after the grace, and whoever has
    sent one must be told what there is to tell.
    """
    try:
        await asyncio.wait_for(future, max(timeout_s, 0))
    except (TimeoutError, asyncio.CancelledError):
        return False
    return True
