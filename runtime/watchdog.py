"""Ends a process that no longer does its work: whose loop hangs in a call, or whose Kafka client hears nothing.

A client that lost its broker for some seconds can stay without one for good; nothing it offers brings it back, and
only a new client does (librdkafka, issue 5301). A call that waits for such a client never returns. So a process tells
the watchdog of each sign of life; where one stays away for its bound, the process ends, and a supervisor starts the
next one.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from schemas.errors import OrchestratorError

_LOOK_EVERY_S = 0.5
_OWN_PAUSE_S = 2.0
"""A look that comes later than this was held up with everything else: the process or its host stood still."""


class SignOfLife:
    """One thing that must happen again and again. For any thread."""

    def __init__(self, *, bound_s: float, error: Callable[[float], OrchestratorError], now: float) -> None:
        self.error = error
        self.seen_at = now
        self.allowed = [bound_s]

    @property
    def bound_s(self) -> float:
        """Longest absence that is accepted now."""
        return max(self.allowed)


class Watchdog:
    """Looks at all signs of life in a thread of its own; a context manager.

    `end` is called in that thread with what is missing, and must end the process: it is called again until it has.
    """

    def __init__(
        self, end: Callable[[OrchestratorError], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._end = end
        self._clock = clock
        self._signs: dict[str, SignOfLife] = {}
        self._lock = Lock()
        self._looked_at = clock()
        self._ended = Event()

    def __enter__(self) -> Self:
        Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def expect(self, name: str, *, bound_s: float, error: Callable[[float], OrchestratorError]) -> None:
        """From now on `seen(name)` must be called every `bound_s` seconds; `error` makes what is said otherwise."""
        with self._lock:
            self._signs[name] = SignOfLife(bound_s=bound_s, error=error, now=self._clock())

    def seen(self, name: str) -> None:
        """Note a sign of life; nothing where it is not expected."""
        sign = self._signs.get(name)
        if sign is not None:
            sign.seen_at = self._clock()

    def forget(self, name: str) -> None:
        """Expect it no more."""
        with self._lock:
            self._signs.pop(name, None)

    @contextmanager
    def allow(self, name: str, seconds: float) -> Iterator[None]:
        """Give `name` at least `seconds` for the work inside, which has bounds of its own."""
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

    def look(self) -> OrchestratorError | None:
        """Return what is missing, or None. Time in which the process itself stood still does not count."""
        now = self._clock()
        with self._lock:
            paused = now - self._looked_at
            self._looked_at = now
            for sign in self._signs.values():
                if paused > _OWN_PAUSE_S:
                    sign.seen_at = min(now, sign.seen_at + paused)
                silent = now - sign.seen_at
                if silent > sign.bound_s:
                    return sign.error(silent)
        return None

    def _watch(self) -> None:
        self._looked_at = self._clock()
        while not self._ended.wait(_LOOK_EVERY_S):
            missing = self.look()
            if missing is not None:
                self._end(missing)
