"""Watches topics: partitions that are added, a topic that appears, and one that is deleted and made again."""

from collections.abc import Callable, Iterable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Protocol, Self

from runtime.logs import get_logger
from schemas.errors import BrokerError


class TopicFacts(Protocol):
    """What the watch asks a cluster. Both methods raise `BrokerError` and leave out topics that are not there."""

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic."""

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has."""


class PartitionWatch:
    """Looks every `interval_s` seconds, and calls `on_change` once with a sentence; a context manager.

    `expected` are the counts at the start; with more partitions keys would part from their state. `ids` are the
    topics' ids at the start: one that was deleted and made again has another. Topics of `missing` were not there. A
    cluster that does not answer is no change: the stream library ends the process when that lasts.
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

    def look(self) -> str | None:
        """Return what has changed, or None."""
        counts = self._cluster.partition_counts((*self._expected, *self._missing))
        for topic, expected in self._expected.items():
            if counts.get(topic) != expected:
                return f"Topic {topic} had {expected} partitions and has {counts.get(topic, 0)}."
        ids = self._cluster.topic_ids(self._ids)
        for topic, known in self._ids.items():
            if ids.get(topic) != known:
                return f"Topic {topic} was deleted{' and made again' if topic in ids else ''}."
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
