"""Futures of the event loop, grouped by the key that each waits for."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Waiters(Generic[Key, Value]):
    """Futures by key. Use it on the event loop only."""

    def __init__(self) -> None:
        self._futures: dict[Key, list[asyncio.Future[Value]]] = {}
        self._wanted: dict[asyncio.Future[Value], Callable[[Value], bool]] = {}

    def expect(self, key: Key, wanted: Callable[[Value], bool] | None = None) -> asyncio.Future[Value]:
        """Return a future for `key` that only a `wanted` value resolves; it is removed when it is done or cancelled."""
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(key, []).append(future)
        if wanted is not None:
            self._wanted[future] = wanted
        future.add_done_callback(lambda done: self._leave(key, done))
        return future

    def wake(self, key: Key, value: Value) -> None:
        """Resolve every future of `key` that wants `value` with it."""
        for future in self._futures.get(key, ()):
            wanted = self._wanted.get(future)
            if not future.done() and (wanted is None or wanted(value)):
                future.set_result(value)

    def _leave(self, key: Key, future: asyncio.Future[Value]) -> None:
        self._wanted.pop(future, None)
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
