"""Watches partitions and topics: added partitions, new topics, and topics that were deleted and created again."""

from collections.abc import Callable, Iterable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Protocol, Self

from runtime.logs import get_logger
from schemas.errors import BrokerError


class TopicFacts(Protocol):
    """Facts that the watch reads from a cluster. Both methods raise `BrokerError` and leave out missing topics."""

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic."""

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has."""


class PartitionWatch:
    """Checks every `interval_s` seconds, and calls `on_change` once with a sentence; a context manager.

    `expected` are the partition counts at the start; with more partitions, keys would map to other partitions than
    their state. `ids` are the topics' ids at the start; a topic that was created again has another id. Topics of
    `missing` did not exist at the start. A cluster that does not answer is not a change: the watchdog handles that.
    """

    def __init__(
        self,
        cluster: TopicFacts,
        *,
        expected: Mapping[str, int],
        ids: Mapping[str, str],
        missing: Iterable[str],
        interval_s: float,
        on_change: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._expected = dict(expected)
        self._ids = dict(ids)
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

    def check(self) -> str | None:
        """Return what has changed, or None."""
        counts = self._cluster.partition_counts((*self._expected, *self._missing))
        for topic, expected in self._expected.items():
            if counts.get(topic) != expected:
                return f"Topic {topic} had {expected} partitions and has {counts.get(topic, 0)}."
        ids = self._cluster.topic_ids(self._ids)
        for topic, known in self._ids.items():
            if ids.get(topic) != known:
                return f"Topic {topic} was deleted{' and created again' if topic in ids else ''}."
        appeared = [topic for topic in self._missing if topic in counts]
        return f"Topics appeared: {', '.join(appeared)}." if appeared else None

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s):
            try:
                change = self.check()
            except BrokerError as error:
                get_logger(__name__).warning("topics_not_seen", code=error.code, reason=error.message)
                continue
            if change is not None:
                self._on_change(change)
                return
