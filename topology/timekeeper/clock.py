"""The broker's clock, as far as this process can know it.

Deadlines are reckoned in append times, which brokers stamp, so that the clock of a host does not matter. An append time
plus what has passed here since it was seen is never later than the broker's clock: a deadline that is compared with it
is never fired early.
"""

import time
from collections.abc import Callable
from threading import Lock

WINDOW_S = 120.0
"""Seconds after which an observation no longer counts, where newer ones exist: a broker's clock can be set back."""


class BrokerClock:
    """The latest time that the broker's clock has certainly reached. Thread-safe.

    `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._since = clock()
        self._offset: float | None = None
        """Milliseconds to add to the monotonic clock: the largest of this window, and below of the one before."""
        self._offset_before: float | None = None

    def observe(self, append_ms: int) -> None:
        """Note the append time (Unix milliseconds) of a record of an own topic that has just been seen."""
        now = self._clock()
        offset = append_ms - now * 1_000
        with self._lock:
            if now - self._since > WINDOW_S:
                self._since = now
                self._offset_before, self._offset = self._offset, None
            if self._offset is None or offset > self._offset:
                self._offset = offset

    def set_back(self, append_ms: int) -> None:
        """Take over an append time (Unix milliseconds) that the broker has just given and that lies before `now_ms`.

        The broker's clock has been set back: what was observed of it before no longer holds.
        """
        now = self._clock()
        with self._lock:
            self._since = now
            self._offset, self._offset_before = append_ms - now * 1_000, None

    def now_ms(self) -> int | None:
        """Return the time (Unix milliseconds); None before the first observation."""
        with self._lock:
            known = [offset for offset in (self._offset, self._offset_before) if offset is not None]
        return int(max(known) + self._clock() * 1_000) if known else None
