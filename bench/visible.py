"""Measures how long after a decision the projection shows it."""

import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from bench.hops import read_between
from bench.sampler import Sampler
from cli.demo.table import percentile
from runtime.kafka.admin import KafkaAdmin
from runtime.settings import Settings
from schemas.topics import Topic
from state.projection import Reader, open_engine

LOOK_S = 0.025
"""Seconds between two looks at the projection: the results are late by up to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleResult:
    """Seconds from the append of a decision's status record until a reader of the projection can see it."""

    decisions: int
    unseen: int
    """Decisions that were not visible when the watch ended."""
    p50: float
    p99: float


class VisibleWatch(Sampler):
    """Looks at the projection's offsets again and again, in a thread of its own; a context manager."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("visible-watch", LOOK_S)
        self._settings = settings
        self._engine = open_engine(settings.projection_url)
        self._reader = Reader(self._engine)
        self._status = settings.topics().name(Topic.STATUS)
        self._cluster = KafkaAdmin(settings.kafka())
        self._partitions = [(self._status, number) for number in range(settings.topic_partitions)]
        self._starts = self._cluster.log_ends(self._partitions, committed=True)
        self._seen: dict[int, tuple[list[int], list[float]]] = {number: ([], []) for _, number in self._partitions}

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._engine.dispose()

    def took(self, start_s: float, end_s: float) -> list[float | None]:
        """Return the seconds until each decision between two Unix times was visible; None for one that was not."""
        ends = self._cluster.log_ends(self._partitions, committed=True)
        records = read_between(self._settings, self._starts, ends)
        return [
            visible_after(self._seen[record.partition], record.offset, record.time_ms / 1_000)
            for record in records
            if start_s <= record.time_ms / 1_000 < end_s
        ]

    def _look(self) -> None:
        reached: Mapping[tuple[Topic, int], int] = self._reader.offsets()
        now = time.time()
        for number, (offsets, times) in self._seen.items():
            offset = reached.get((Topic.STATUS, number), 0)
            if not offsets or offset > offsets[-1]:
                offsets.append(offset)
                times.append(now)


def visible_after(seen: tuple[list[int], list[float]], offset: int, appended_s: float) -> float | None:
    """Return how long after its append a record was below the offset that a reader saw."""
    offsets, times = seen
    at = bisect_left(offsets, offset + 1)
    return None if at == len(offsets) else times[at] - appended_s


def visible_result(took: list[float | None]) -> VisibleResult | None:
    """Return the result of all decisions; None where there was none that became visible."""
    seen = sorted(each for each in took if each is not None)
    if not seen:
        return None
    return VisibleResult(
        decisions=len(took), unseen=len(took) - len(seen), p50=percentile(seen, 50), p99=percentile(seen, 99)
    )
