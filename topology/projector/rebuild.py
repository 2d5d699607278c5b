"""Building a projection beside the live one from the topics: to replace it, or to compare it row for row."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event

from msgspec import Struct

from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.partition_reader import EndOfPartition, KafkaRecord, PartitionReader
from runtime.settings import Settings
from schemas.errors import Code, ProjectionError, TopicError
from schemas.topics import Topic
from state.projection import Beside, Difference, Horizon, Identity, ProjectedRecord, Writer, beside, compare, pinned
from topology.projector.sink import retry_database

INPUTS = (Topic.STATUS, Topic.HISTORY, Topic.DEAD_LETTERS)
Offsets = Mapping[tuple[Topic, int], int]
Report = Callable[[str], None]
_AT_ONCE = 5_000
"""Records of a transaction. Nobody reads the new projection meanwhile."""
_AT_ONCE_BYTES = 16_000_000
_REPORT_EVERY_S = 5.0
_SILENCE_S = 60.0


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What a rebuild has done."""

    records: int
    batches: int
    seconds: float


class Builder:
    """Fills a new projection beside the live one with what the topics hold."""

    def __init__(self, settings: Settings, pair: Beside, report: Report) -> None:
        table = settings.topics()
        self._kafka = settings.kafka()
        self._names = {table.name(topic): topic for topic in INPUTS}
        self._cluster = KafkaAdmin(self._kafka)
        self._report = report
        self._retention_ms = table.retention_ms
        self._writer = Writer(pair.fresh, retention_ms=table.retention_ms)
        self._first_ms: dict[tuple[Topic, int], int] = {}
        self.identity = Identity(self._cluster.cluster_id(), self._cluster.topic_id(table.name(Topic.INBOX)))
        self.records = 0
        self.changed = 0

    def prepare(self) -> None:
        """Make the schema. Raises `TopicError` where a topic is missing."""
        counts = self._cluster.partition_counts(self._names)
        missing = [name for name in self._names if name not in counts]
        if missing:
            raise TopicError(
                f"Topics cannot be read, because they do not exist: {', '.join(missing)}.",
                code=Code.TOPIC_MISSING,
                next_step="Run `bos topics apply`, which creates the product's own topics.",
            )
        self._partitions = [(name, number) for name in self._names for number in range(counts[name])]
        ids = self._cluster.topic_ids(self._names)
        self._writer.prepare(self.identity)
        self._writer.bind_topics({self._names[name]: given for name, given in ids.items()})

    def fill(self) -> None:
        """Apply what the topics hold now."""
        ends = self._cluster.log_ends(self._partitions, committed=True)
        self._apply_until({(self._names[name], number): end for (name, number), end in ends.items()})

    def fill_up_to(self, offsets: Offsets) -> None:
        """Apply the records before these offsets, and none behind them."""
        self._apply_until(offsets)

    def horizon(self) -> Horizon:
        """Return from when on the topics hold everything."""
        now_ms = time.time_ns() // 1_000_000
        starts = self._cluster.log_starts(self._partitions)
        cut = {Topic.HISTORY: now_ms - self._retention_ms, Topic.DEAD_LETTERS: now_ms - self._retention_ms}
        for (name, number), first in starts.items():
            topic = self._names[name]
            if first > 0 and topic in cut:
                cut[topic] = max(cut[topic], self._first_ms.get((topic, number), now_ms))
        return Horizon(now_ms=now_ms, history_ms=cut[Topic.HISTORY], letters_ms=cut[Topic.DEAD_LETTERS])

    def _apply_until(self, ends: Offsets) -> None:
        done, total = self._writer.offsets(), sum(ends.values())
        reported = time.monotonic()
        for records in _grouped(self._read(done, ends)):
            applied = self._writer.apply(records)
            self.records += applied.records
            self.changed += applied.batches
            if time.monotonic() - reported > _REPORT_EVERY_S:
                reported = time.monotonic()
                share = min(1.0, sum(self._writer.offsets().values()) / max(total, 1))
                self._report(f"{self.records} records read, {share:.0%} of the topics")

    def _read(self, done: Offsets, ends: Offsets) -> Iterator[ProjectedRecord]:
        """Yield the records of each partition from what is done to its end, which can lie behind the last record."""
        unread: dict[Partition, int] = {}
        for name, number in self._partitions:
            place = (self._names[name], number)
            if ends.get(place, 0) > done.get(place, 0):
                unread[name, number] = ends[place]
        if not unread:
            return
        with PartitionReader(self._kafka, "batch-orchestrator-projection-rebuild") as reader:
            reader.assign({each: done.get((self._names[each[0]], each[1])) for each in unread})
            while unread:
                found = reader.poll(_SILENCE_S)
                if found is None:
                    raise ProjectionError(
                        f"{sorted(unread)} are silent for {_SILENCE_S:.0f} s.",
                        next_step="See that the cluster works, then rebuild again. The live projection is untouched.",
                    )
                if isinstance(found, EndOfPartition):
                    unread.pop(found.partition, None)
                    continue
                partition = (found.topic, found.partition)
                end = unread.get(partition, 0)
                if found.offset < end:
                    yield self._projected(found)
                if found.offset + 1 >= end:
                    unread.pop(partition, None)

    def _projected(self, record: KafkaRecord) -> ProjectedRecord:
        topic = self._names[record.topic]
        self._first_ms.setdefault((topic, record.partition), record.time_ms)
        headers = tuple((name, value) for name, value in record.headers if value is not None)
        return ProjectedRecord(
            topic, record.partition, record.offset, record.time_ms, record.key, record.value, headers
        )


def rebuild(settings: Settings, report: Report) -> Rebuilt:
    """Build a new projection from the topics, and put it in the place of the live one."""
    started = time.monotonic()
    with _builder(settings, report) as (pair, builder):
        builder.fill()
        builder.fill()  # what came meanwhile, so that writers wait for little
        report("the new projection has what the topics hold; it takes the place of the live one")
        retry_database(lambda: pair.swap(builder.identity, builder.fill_up_to), stopping=Event())
    return Rebuilt(records=builder.records, batches=builder.changed, seconds=time.monotonic() - started)


def verify(settings: Settings, report: Report) -> Iterator[Difference]:
    """Build a new projection from the topics, and yield what differs between it and the live one."""
    with _builder(settings, report) as (pair, builder):
        with pinned(pair.live) as live:
            _, offsets = pair.held(live)
        builder.fill_up_to(offsets)
        with pinned(pair.live) as live:
            holds, offsets = pair.held(live)
            if holds != builder.identity:
                raise ProjectionError(
                    "The live projection is empty, or holds the records of another cluster or inbox.",
                    next_step="Start the projector, or run `bos projection rebuild`.",
                )
            report("comparing")
            builder.fill_up_to(offsets)
            with pinned(pair.fresh) as fresh:
                yield from compare.differences(live, fresh, builder.horizon())


@contextmanager
def _builder(settings: Settings, report: Report) -> Iterator[tuple[Beside, Builder]]:
    with beside(settings.projection_url) as pair:
        builder = Builder(settings, pair, report)
        builder.prepare()
        yield pair, builder


def _grouped(records: Iterator[ProjectedRecord]) -> Iterator[Sequence[ProjectedRecord]]:
    """Yield the records, so many at a time."""
    group: list[ProjectedRecord] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record.value or b"")
        if len(group) >= _AT_ONCE or size >= _AT_ONCE_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
