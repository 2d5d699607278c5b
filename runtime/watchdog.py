"""Ends a process that no longer does its work: its loop hangs in a call, or a Kafka client gets no answers.

A client that lost its broker for some seconds can stay disconnected for ever; only a new client reconnects (librdkafka,
issue 5301). A call that waits for such a client never returns. The process therefore reports signs of life to the
watchdog; if one of them is missing for longer than its bound, the process ends, and a supervisor starts the next one.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from schemas.errors import OrchestratorError

_CHECK_EVERY_S = 0.5
_OWN_PAUSE_S = 2.0
"""A check that is later than this means that the process or its host was paused."""


class SignOfLife:
    """One event that must happen repeatedly. Thread-safe."""

    def __init__(self, *, bound_s: float, error: Callable[[float], OrchestratorError], now: float) -> None:
        self.error = error
        self.seen_at = now
        self.allowed = [bound_s]

    @property
    def bound_s(self) -> float:
        """Seconds that it may be missing now."""
        return max(self.allowed)


class Watchdog:
    """Checks all signs of life in its own thread; a context manager.

    `end` is called in that thread with the error of a missing sign, and must end the process; it is called again until
    the process has ended.
    """

    def __init__(
        self, end: Callable[[OrchestratorError], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._end = end
        self._clock = clock
        self._signs: dict[str, SignOfLife] = {}
        self._lock = Lock()
        self._checked_at = clock()
        self._ended = Event()

    def __enter__(self) -> Self:
        Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def expect(self, name: str, *, bound_s: float, error: Callable[[float], OrchestratorError]) -> None:
        """From now on `seen(name)` must be called every `bound_s` seconds; `error` returns the error otherwise."""
        with self._lock:
            self._signs[name] = SignOfLife(bound_s=bound_s, error=error, now=self._clock())

    def seen(self, name: str) -> None:
        """Note a sign of life; one that is not expected is ignored."""
        sign = self._signs.get(name)
        if sign is not None:
            sign.seen_at = self._clock()

    def forget(self, name: str) -> None:
        """Stop expecting the sign `name`."""
        with self._lock:
            self._signs.pop(name, None)

    @contextmanager
    def allow(self, name: str, seconds: float) -> Iterator[None]:
        """Allow `name` at least `seconds` for the work inside, which has its own timeouts."""
        sign = self._signs.get(name)
        if sign is None:
            yield
            return
        sign.allowed.append(seconds)
        sign.seen_at = self._clock()
        try:
            yield
        finally:
            sign.seen_at = self._clock()
            sign.allowed.remove(seconds)

    def check(self) -> OrchestratorError | None:
        """Return the error of a missing sign, or None. Time in which the process was paused does not count."""
        now = self._clock()
        with self._lock:
            paused = now - self._checked_at
            self._checked_at = now
            for sign in self._signs.values():
                if paused > _OWN_PAUSE_S:
                    sign.seen_at = min(now, sign.seen_at + paused)
                silent = now - sign.seen_at
                if silent > sign.bound_s:
                    return sign.error(silent)
        return None

    def _watch(self) -> None:
        self._checked_at = self._clock()
        while not self._ended.wait(_CHECK_EVERY_S):
            missing = self.check()
            if missing is not None:
                self._end(missing)
