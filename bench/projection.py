"""Measures the projection with many batches: what a decision costs the projector, and how long reads take."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.projection_load import PARTITIONS, RARE, Load, Places, chunks
from schemas.internal.enums import BatchStatus, PhaseStatus
from state.projection import (
    EVERYTHING,
    BatchFilter,
    Identity,
    ProjectedRecord,
    Reader,
    Visibility,
    Writer,
    open_engine,
    sqlite_url,
)

READ_AIM_S = 0.05
"""Upper limit of the p99 of every read."""
IN_A_TRANSACTION = 200
"""Records of a transaction while decisions are measured: those of 0.2 s at 500 decisions/s."""
_FILLED_AT_ONCE = 5_000
_TOLD = 10
"""One batch of so many has history when a large projection is filled."""
_IDENTITY = Identity("bench", "inbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One kind of read: how long it took, in seconds."""

    what: str
    rows: int
    p50: float
    p99: float
    cpu_p99: float
    """CPU time alone, which others on the host do not lengthen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionResult:
    """What was found. Times are in seconds."""

    batches: int
    filled_s: float
    bytes_per_batch: float
    """Size of the file for each batch and its part of the history."""
    decision_cpu_us: float
    """CPU of a decision in a projection of a few batches: its status and its history record."""
    decision_bytes: float
    """Growth of the file with each decision."""
    full_decision_cpu_us: float
    """CPU of a decision in the filled projection."""
    reads: tuple[Read, ...]


def filling(load: Load) -> Iterator[Sequence[ProjectedRecord]]:
    """Yield transactions that bring the newest snapshot of each batch, and the history of some."""
    return chunks(_newest(load), _FILLED_AT_ONCE)


def _newest(load: Load) -> Iterator[ProjectedRecord]:
    places = Places()
    for number, snapshot in enumerate(load.snapshots()):
        partition = number % PARTITIONS
        yield places.put(snapshot, partition, snapshot.updated_ms)
        if number % _TOLD == 0:
            told = load.history(number, 1, number)
            yield places.put(told, partition, told.time_ms)


class Projection:
    """Measures a SQLite projection in `directory`. Needs no Kafka."""

    def __init__(self, directory: Path, report: Callable[[str], None]) -> None:
        self._directory = directory
        self._report = report

    def run(self, batches: int, *, decided: int, rounds: int) -> ProjectionResult:
        """Fill a projection with `batches`, measure the decisions of `decided` batches, and `rounds` of each read."""
        cpu_us, grown = self._decisions("decisions", Load(decided, _now_ms()))
        self._report(f"{cpu_us:.0f} us and {grown:.0f} bytes a decision in a new projection")
        load, file = Load(batches, _now_ms()), self._directory / "filled.db"
        started = time.monotonic()
        self._fill(load, file)
        filled_s = time.monotonic() - started
        size = file.stat().st_size
        self._report(f"{batches} batches in {filled_s:.0f} s, {size / 1e6:.0f} MB")
        reads = tuple(self._reads(load, file, rounds))
        full_us, _ = self._decisions("filled", Load(decided, _now_ms(), "later"))
        return ProjectionResult(
            batches=batches,
            filled_s=filled_s,
            bytes_per_batch=size / batches,
            decision_cpu_us=cpu_us,
            decision_bytes=grown,
            full_decision_cpu_us=full_us,
            reads=reads,
        )

    def _fill(self, load: Load, file: Path) -> None:
        engine = open_engine(sqlite_url(file))
        writer = Writer(engine)
        writer.prepare(_IDENTITY)
        for records in filling(load):
            writer.apply(records)
        engine.dispose()

    def _decisions(self, name: str, load: Load) -> tuple[float, float]:
        """Return the CPU (us) of a decision, and by how many bytes the file grows."""
        file = self._directory / f"{name}.db"
        engine = open_engine(sqlite_url(file))
        writer = Writer(engine)
        writer.prepare(_IDENTITY)
        transactions = list(chunks(_decided(load), IN_A_TRANSACTION))
        before, cpu = file.stat().st_size, time.process_time()
        for records in transactions:
            writer.apply(records)
        cpu = time.process_time() - cpu
        engine.dispose()  # writes what is in the log beside the file into it
        decisions = 5 * load.batches
        return cpu / decisions * 1e6, (file.stat().st_size - before) / decisions

    def _reads(self, load: Load, file: Path, rounds: int) -> Iterator[Read]:
        engine = open_engine(sqlite_url(file))
        reader = Reader(engine)
        for what, read in _queries(reader, load):
            read()
            times, cpu = zip(*(_timed(read) for _ in range(rounds)), strict=True)
            found = Read(
                what=what,
                rows=read(),
                p50=_quantile(times, 0.5),
                p99=_quantile(times, 0.99),
                cpu_p99=_quantile(cpu, 0.99),
            )
            self._report(f"{what}: p50 {found.p50 * 1e3:.1f} ms, p99 {found.p99 * 1e3:.1f} ms, {found.rows} rows")
            yield found
        engine.dispose()


def _decided(load: Load) -> Iterator[ProjectedRecord]:
    """Yield the records of each decision, those of many batches in turns."""
    places, offset = Places(), 0
    for numbers in chunks(range(load.batches), 100):
        for step in range(1, 6):
            for number in numbers:
                snapshot, partition = load.snapshot(number, step), number % PARTITIONS
                yield places.put(snapshot, partition, snapshot.updated_ms)
                yield places.put(load.history(number, step, offset), partition, snapshot.updated_ms)
                offset += 1


def _queries(reader: Reader, load: Load) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield each read with what it is called; a read returns how many rows or numbers it found."""
    filters = {
        "none": BatchFilter(),
        "status, common": BatchFilter(status=(BatchStatus.COMPLETED_SUCCESSFULLY,)),
        "status, 3 of them": BatchFilter(
            status=(BatchStatus.FAILED_CRITICALLY, BatchStatus.CANCELLED, BatchStatus.COMPLETED_WITH_FAILURES)
        ),
        "phase": BatchFilter(phase="cj_assessment"),
        "phase and its status": BatchFilter(phase="cj_assessment", phase_status=PhaseStatus.PENDING_DEPENDENCIES),
        "status of any phase": BatchFilter(phase_status=PhaseStatus.DISPATCH_INITIATED),
        "owner, common": BatchFilter(owner="teacher-1"),
        "owner, rare": BatchFilter(owner="teacher-1234"),
        "organisation": BatchFilter(organisation="school-7"),
        "user": BatchFilter(user="user-77"),
        "course": BatchFilter(course="C042"),
        "course, rare": BatchFilter(course=RARE),
        "pipeline": BatchFilter(pipeline="other"),
        "pipeline, none has it": BatchFilter(pipeline="gone"),
        "stalled": BatchFilter(stalled=True),
        "held": BatchFilter(held=True),
        "paused": BatchFilter(paused=True),
        "ended": BatchFilter(ended=True),
        "live": BatchFilter(ended=False),
        "attention": BatchFilter(attention=True),
        "created in an hour a week ago": BatchFilter(
            created_from_ms=load.now_ms - 7 * 86_400_000, created_before_ms=load.now_ms - 7 * 86_400_000 + 3_600_000
        ),
        "updated since 24 h": BatchFilter(updated_from_ms=load.now_ms - 86_400_000),
        "updated in an hour a week ago": BatchFilter(
            updated_from_ms=load.now_ms - 7 * 86_400_000, updated_before_ms=load.now_ms - 7 * 86_400_000 + 3_600_000
        ),
        "due in a day": BatchFilter(due_before_ms=load.now_ms + 86_400_000),
        "failed, of a course, since 7 d": BatchFilter(
            status=(BatchStatus.FAILED_CRITICALLY,), course="C042", created_from_ms=load.now_ms - 7 * 86_400_000
        ),
        "common status, rare course": BatchFilter(status=(BatchStatus.COMPLETED_SUCCESSFULLY,), course=RARE),
        "live, of an owner": BatchFilter(ended=False, owner="teacher-2"),
    }
    for name, wanted in filters.items():
        yield f"list: {name}", _list(reader, wanted)
    yield "list: none, in the middle", _from_the_middle(reader, load)
    owner = Visibility(owner_subject="teacher-2", owner_organisation="school-2")
    yield "list: one owner's", _list(reader, BatchFilter(), owner)
    for who, seen in (("all", EVERYTHING), ("one owner's", owner)):
        yield f"counts: {who}", partial(_counts, reader, seen)
        yield f"stats: {who}", partial(_stats, reader, load.now_ms, seen)
    common = BatchFilter(status=(BatchStatus.COMPLETED_SUCCESSFULLY,))
    yield "count: common status, at most 10,000", lambda: reader.count(common, most=10_000)
    yield "ids: 1,000 of a status", lambda: len(reader.ids(common, limit=1_000)[0])
    whole = load.batch_id(load.batches // 2)
    yield "resolve: batch id", lambda: int(reader.resolve(whole) is not None)
    yield "resolve: 8 characters", lambda: len(reader.candidates(whole[:8]))
    yield "usual", lambda: reader.usuals()["spellcheck"].samples


def _list(reader: Reader, wanted: BatchFilter, seen: Visibility = EVERYTHING) -> Callable[[], int]:
    return lambda: len(reader.list(wanted, seen).batches)


def _counts(reader: Reader, seen: Visibility) -> int:
    return sum(reader.counts(seen).batches.values())


def _stats(reader: Reader, now_ms: int, seen: Visibility) -> int:
    return len(reader.stats(now_ms, seen).phases)


def _from_the_middle(reader: Reader, load: Load) -> Callable[[], int]:
    middle = BatchFilter(created_before_ms=load.registered_ms(load.batches // 2))
    cursor = reader.list(middle).next_cursor
    return lambda: len(reader.list(BatchFilter(), cursor=cursor).batches)


def _timed(read: Callable[[], int]) -> tuple[float, float]:
    """Return the seconds that a read took, and those of the CPU."""
    started, cpu = time.perf_counter(), time.thread_time()
    read()
    return time.perf_counter() - started, time.thread_time() - cpu


def _quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
