"""Measures building a projection anew from Kafka, and comparing it with a second one row for row."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.load import fill_projected
from bench.projection_load import PARTITIONS, Load
from bench.workplace import Workplace
from schemas.internal.history import HistoryRecord
from schemas.internal.status import StatusRecord
from state.projection import sqlite_url
from topology.projector.rebuild import rebuild, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildResult:
    """What was found. Times are in seconds."""

    batches: int
    records: int
    rebuilt_s: float
    """Until a projection that was wiped was in use again."""
    verified_s: float
    """Until a second one was built, and every row was compared."""
    differences: int


class Rebuilding:
    """Measures `bos projection rebuild` and `verify` on a Kafka, for a projection in SQLite."""

    def __init__(self, workplace: Workplace, report: Callable[[str], None]) -> None:
        self._workplace = workplace
        self._report = report

    def run(self, batches: int) -> RebuildResult:
        """Write a status and a history record of each batch, build a projection from them, and compare it."""
        file = self._workplace.directory / "projection.db"
        settings = self._workplace.settings(PROJECTION_URL=sqlite_url(file), TOPIC_PARTITIONS=str(PARTITIONS))
        self._workplace.provision(settings)
        self._report(f"writing statuses and history of {batches} batches")
        fill_projected(settings, _records(Load(batches, time.time_ns() // 1_000_000)))
        done = rebuild(settings, self._report)
        self._report(f"{done.records} records in {done.seconds:.0f} s")
        started = time.monotonic()
        differences = sum(1 for _ in verify(settings, self._report))
        return RebuildResult(
            batches=batches,
            records=done.records,
            rebuilt_s=done.seconds,
            verified_s=time.monotonic() - started,
            differences=differences,
        )


def _records(load: Load) -> Iterator[tuple[StatusRecord | HistoryRecord, int]]:
    for number, snapshot in enumerate(load.snapshots()):
        partition = number % PARTITIONS
        yield snapshot, partition
        yield load.history(number, 1, number), partition
