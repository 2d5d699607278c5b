"""What the timekeeper tells about its deadlines."""

import time
from collections.abc import Callable, Iterable, Sequence

from runtime.metrics import Metrics
from schemas.topics import Topic
from topology.timekeeper.index import ArmedDeadline, DeadlineIndex

INTERVAL_S = 1.0
"""Seconds between two counts of what is due: it walks over the index."""
MOST_COUNTED = 2_000
"""Due deadlines of a partition are counted up to this number."""


class DeadlineMetrics:
    """Sets the gauges of the timekeeper from its index, in the thread of the loop; `clock` is monotonic seconds."""

    def __init__(self, metrics: Metrics, index: DeadlineIndex, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._written = metrics.records_written.labels(Topic.INBOX.value)
        self._index = index
        self._clock = clock
        self._counted_at = float("-inf")

    def fired(self, deadlines: Sequence[tuple[ArmedDeadline, int]]) -> None:
        """Note deadlines that were written to the inbox, each with its append time; repeats do not count as late."""
        self._written.inc(len(deadlines))
        observe = self._metrics.deadline_lateness_seconds.observe
        for entry, time_ms in deadlines:
            if not entry.fired:
                observe(max(0, time_ms - entry.due_ms) / 1_000)

    def count(self, partitions: Iterable[int], now_ms: int | None) -> None:
        """Count what is armed and what is due, at most once in `INTERVAL_S`."""
        now = self._clock()
        if now - self._counted_at < INTERVAL_S:
            return
        self._counted_at = now
        armed = due = 0
        for number in partitions:
            position = self._index.position(number)
            armed += 0 if position is None else position.armed
            if now_ms is not None:
                due += self._index.overdue(number, now_ms, MOST_COUNTED)
        self._metrics.deadlines_armed.set(armed)
        self._metrics.deadlines_due.set(due)
