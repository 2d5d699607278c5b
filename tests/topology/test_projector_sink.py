"""The projector's sink: one transaction for each checkpoint, patience with a database, and where to start."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from sqlalchemy.exc import OperationalError, ProgrammingError

from runtime.kafka.admin import Partition
from schemas.errors import ProjectionError
from schemas.topics import Topic
from state.projection import Applied, Identity, ProjectedRecord, Writer, open_engine
from state.projection import engine as engine_module
from topology.projector.sink import ProjectionSink, StartFromProjection, retry_database

STATUS, HISTORY = Topic.STATUS.value, Topic.HISTORY.value
TOPICS = {STATUS: Topic.STATUS, HISTORY: Topic.HISTORY}
LOCKED = OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))


class FakeProjection:
    """A database that fails as often as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.transactions: list[Sequence[ProjectedRecord]] = []
        self.reflected: dict[tuple[Topic, int], int] = {}
        self.pruned: list[int] = []
        self.chunks_to_prune = 1

    def apply(self, records: Sequence[ProjectedRecord]) -> Applied:
        if self.failures:
            raise self.failures.pop(0)
        self.transactions.append(list(records))
        return Applied(records=len(records))

    def offsets(self) -> dict[tuple[Topic, int], int]:
        if self.failures:
            raise self.failures.pop(0)
        return self.reflected

    def prune(self, now_ms: int) -> bool:
        self.pruned.append(now_ms)
        return len(self.pruned) < self.chunks_to_prune


class FakeCluster:
    """Topics that end at one offset."""

    def __init__(self, end: int, start: int = 0) -> None:
        self._start = start
        self._end = end

    def cluster_id(self) -> str:
        return "cluster"

    def topic_id(self, topic: str) -> str:
        return topic

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {topic: topic for topic in topics}

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, self._start)

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(topics, 1)

    def replica_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(topics, 1)

    def topic_configs(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        return {topic: {} for topic in topics}

    def max_message_bytes(self, topics: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(topics, 1_048_576)

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        assert not committed, "records behind an open transaction are there, too"
        return dict.fromkeys(partitions, self._end)


def sink_on(projection: FakeProjection, *, patience_s: float = 5, stopping: Event | None = None) -> ProjectionSink:
    return ProjectionSink(projection, TOPICS, stopping=stopping or Event(), patience_s=patience_s)


def add(sink: ProjectionSink, topic: str, offset: int, value: bytes | None = b"{}") -> None:
    sink.add(value, b"key", 7, [("version", b"5")], topic, 0, offset)


def test_a_checkpoint_is_one_transaction_over_all_partitions_in_their_order() -> None:
    projection = FakeProjection()
    sink = sink_on(projection)
    add(sink, STATUS, 1)
    add(sink, HISTORY, 4)
    add(sink, STATUS, 3, None)
    sink.flush()
    sink.flush()
    headers = (("version", b"5"),)
    assert projection.transactions == [
        [
            ProjectedRecord(Topic.STATUS, 0, 1, 7, b"key", b"{}", headers),
            ProjectedRecord(Topic.HISTORY, 0, 4, 7, b"key", b"{}", headers),
            ProjectedRecord(Topic.STATUS, 0, 3, 7, b"key", None, headers),
        ]
    ]


def test_a_locked_database_is_tried_again_until_it_answers() -> None:
    projection = FakeProjection(LOCKED, LOCKED)
    sink = sink_on(projection)
    add(sink, STATUS, 1)
    sink.flush()
    assert [record.offset for record in projection.transactions[0]] == [1]


def test_a_database_that_stays_locked_ends_the_projector_with_its_code() -> None:
    sink = sink_on(FakeProjection(*[LOCKED] * 10), patience_s=0)
    add(sink, STATUS, 1)
    with pytest.raises(ProjectionError, match=r"ORC-PROJECTION: .*database is locked"):
        sink.flush()


def test_a_stop_cuts_the_patience_short() -> None:
    stopping = Event()
    stopping.set()
    sink = sink_on(FakeProjection(*[LOCKED] * 10), patience_s=300, stopping=stopping)
    add(sink, STATUS, 1)
    with pytest.raises(ProjectionError):
        sink.flush()


def test_what_waiting_does_not_cure_is_not_waited_for() -> None:
    missing = ProgrammingError("INSERT", {}, Exception("no such table"))
    projection = FakeProjection(missing)
    sink = sink_on(projection, patience_s=300)
    add(sink, STATUS, 1)
    with pytest.raises(ProjectionError, match="no such table"):
        sink.flush()
    assert projection.transactions == []


@pytest.mark.parametrize("made", ["a directory", "no database"])
def test_a_file_that_is_no_database_is_not_waited_for(made: str, tmp_path: Path) -> None:
    file = tmp_path / "projection.db"
    if made == "a directory":
        file.mkdir()
    else:
        file.write_bytes(b"not a database" * 100)
    engine = open_engine(f"sqlite:///{file}")
    with pytest.raises(ProjectionError, match=r"ORC-PROJECTION:"):
        retry_database(lambda: Writer(engine).prepare(Identity("cluster", "inbox")), stopping=Event(), patience_s=300)
    engine.dispose()


def test_a_database_locked_by_another_process_is_written_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_S", 0.2)  # SQLite waits for so long before it says "locked"
    engine = open_engine(f"sqlite:///{tmp_path}/new/projection.db")
    writer = Writer(engine)
    writer.prepare(Identity("cluster", "inbox"))
    other = sqlite3.connect(tmp_path / "new" / "projection.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    failures = 0

    def work() -> Applied:
        nonlocal failures
        try:
            return writer.apply([ProjectedRecord(Topic.STATUS, 0, 1, 7, b"key", b"{}")])
        except OperationalError:
            failures += 1
            other.execute("ROLLBACK")
            raise

    with closing(other):
        applied = retry_database(work, stopping=Event())
    assert (failures, applied.records, writer.offsets()) == (1, 1, {(Topic.STATUS, 0): 2})
    engine.dispose()


def test_old_rows_are_pruned_once_an_hour() -> None:
    projection = FakeProjection()
    sink = sink_on(projection)
    for offset in range(3):
        add(sink, STATUS, offset)
        sink.flush()
    assert len(projection.pruned) == 1


def test_many_old_rows_are_pruned_some_at_each_flush() -> None:
    projection = FakeProjection()
    projection.chunks_to_prune = 5
    sink = sink_on(projection)
    pruned = []
    for flush in range(5):
        for offset in range(1_000 if flush == 1 else 1):
            add(sink, STATUS, 1_000 * flush + offset)
        sink.flush()
        pruned.append(len(projection.pruned))
    assert pruned == [1, 3, 4, 5, 5], "more is removed than comes in, and no flush waits for all of it"


def test_each_partition_starts_where_the_projection_ends() -> None:
    projection = FakeProjection(LOCKED)
    projection.reflected = {(Topic.STATUS, 0): 40, (Topic.STATUS, 1): 50}
    partitions = [TopicPartition(STATUS, 0), TopicPartition(STATUS, 1), TopicPartition(HISTORY, 0)]
    StartFromProjection(sink_on(projection), TOPICS, FakeCluster(50))(None, partitions)
    assert [each.offset for each in partitions] == [40, 50, OFFSET_BEGINNING]


def test_what_was_not_flushed_before_an_assignment_is_forgotten() -> None:
    projection = FakeProjection()
    sink = sink_on(projection)
    add(sink, STATUS, 1)
    StartFromProjection(sink, TOPICS, FakeCluster(50))(None, [TopicPartition(STATUS, 0)])
    sink.flush()
    assert projection.transactions == []


def test_a_topic_that_was_made_again_is_refused() -> None:
    projection = FakeProjection()
    projection.reflected = {(Topic.STATUS, 0): 40}
    start = StartFromProjection(sink_on(projection), TOPICS, FakeCluster(39))
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-AHEAD"):
        start(None, [TopicPartition(STATUS, 0)])


def test_history_that_retention_removed_is_told_and_the_rest_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    projection = FakeProjection()
    projection.reflected = {(Topic.HISTORY, 0): 40}
    partitions = [TopicPartition(HISTORY, 0)]
    StartFromProjection(sink_on(projection), TOPICS, FakeCluster(90, start=60))(None, partitions)
    assert [each.offset for each in partitions] == [60]
    told = capsys.readouterr().out
    assert all(part in told for part in ("ORC-PROJECTION-GAP", f"{HISTORY}[0]", "40", "59"))


def test_statuses_that_were_removed_end_the_projector() -> None:
    projection = FakeProjection()
    projection.reflected = {(Topic.STATUS, 0): 40}
    start = StartFromProjection(sink_on(projection), TOPICS, FakeCluster(90, start=60))
    with pytest.raises(ProjectionError, match=r"ORC-PROJECTION-GAP: Records at offsets 40 to 59"):
        start(None, [TopicPartition(STATUS, 0)])
