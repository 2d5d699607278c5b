"""Watches partition counts: keys would move away from their state, and a topic that was missing can appear."""

from collections.abc import Callable, Iterable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Self

from runtime.kafka.admin import ClusterFacts
from runtime.logs import get_logger
from schemas.errors import BrokerError


class TopicWatch:
    """Looks every `interval_s` seconds, and calls `on_change` once with a sentence; a context manager.

    `expected` are the counts at the start; topics of `missing` were not there. A cluster that does not answer is no
    change: the stream library ends the process when that lasts.
    """

    def __init__(
        self,
        cluster: ClusterFacts,
        *,
        expected: Mapping[str, int],
        missing: Iterable[str],
        interval_s: float,
        on_change: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._expected = dict(expected)
        self._missing = tuple(missing)
        self._interval_s = interval_s
        self._on_change = on_change
        self._ended = Event()

    def __enter__(self) -> Self:
        Thread(target=self._watch, name="topic-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def look(self) -> str | None:
        """Return what has changed, or None."""
        counts = self._cluster.partition_counts((*self._expected, *self._missing))
        for topic, expected in self._expected.items():
            if counts.get(topic) != expected:
                return f"Topic {topic} had {expected} partitions and has {counts.get(topic, 0)}."
        appeared = [topic for topic in self._missing if topic in counts]
        return f"Topics appeared: {', '.join(appeared)}." if appeared else None

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s):
            try:
                change = self.look()
            except BrokerError as error:
                get_logger(__name__).warning("topics_not_seen", code=error.code, reason=error.message)
                continue
            if change is not None:
                self._on_change(change)
                return
