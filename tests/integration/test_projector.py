"""The projector as a process, on a real Kafka: what it reads and leaves out, and how a lost database comes back."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import func, select

from cli.broker import Kafka
from runtime import exit_codes
from runtime.kafka.admin import KafkaAdmin
from runtime.settings import ENV_PREFIX, Settings
from schemas.errors import OrchestratorError, ProjectionError
from schemas.internal.enums import BatchStatus
from schemas.internal.history import NO_VERSION
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import history_outgoing, status_outgoing, status_tombstone
from schemas.topics import Topic
from state.projection import Identity, Reader, StatusCounts, Writer, open_engine, tables
from tests.patience import PATIENCE_S, await_that
from tests.unit.state.projection.log import batch_id, history, letter, status
from tests.unit.state.projection.postgres import postgres_server
from topology.topics import provisioning

NOW_MS = time.time_ns() // 1_000_000
"""History older than its topic keeps it is pruned, so that of these tests is new."""
WAIT_S = PATIENCE_S
DATABASE = "projection.db"
PROCESS = (
    "import sys; from topology.projector.app import run; "
    "from runtime.settings import Settings; sys.exit(run(Settings()))"
)


class World:
    """Topics of a test's own, a producer of the orchestrator's kind, and the projection in a file."""

    def __init__(self, kafka: Kafka, directory: Path, url: str = "") -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[str]] = []
        self.prefix = f"projector-{uuid.uuid4().hex[:8]}"
        self.settings = Settings(
            _env_file=None,
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            topic_prefix=self.prefix,
            topic_partitions=2,
            projector_group=self.prefix,
            startup_timeout_s=WAIT_S,
            projection_url=url or f"sqlite:///{directory}/{DATABASE}",
        )
        provisioning.apply(self.settings, create_peer_topics=True)
        self.table = self.settings.topics()
        self.producer = Producer({**self.settings.kafka(), "transactional.id": self.prefix, "partitioner": "murmur2"})
        self.producer.init_transactions(WAIT_S)
        self.admin = AdminClient(self.settings.kafka())

    def write(self, *records: OutgoingRecord, commit: bool = True) -> None:
        self.producer.begin_transaction()
        for record in records:
            name = self.table.name(record.topic)
            self.producer.produce(name, key=record.key, value=record.value, headers=list(record.headers))
            self.producer.poll(0)
        self.producer.flush(WAIT_S)
        if commit:
            self.producer.commit_transaction(WAIT_S)
        else:
            self.producer.abort_transaction(WAIT_S)

    def step(
        self, numbers: range, version: int, based_on: int = NO_VERSION, **given: BatchStatus
    ) -> list[OutgoingRecord]:
        """A decision on each of these batches, which gives it `version` plus its number."""
        records: list[OutgoingRecord] = []
        for number in numbers:
            made, before = version + number, NO_VERSION if based_on == NO_VERSION else based_on + number
            records.append(status_outgoing(status(number, made, **given)))
            records.append(history_outgoing(history(number, made, made, before, time_ms=NOW_MS)))
        return records

    @property
    def database(self) -> Path:
        return self.directory / DATABASE

    def delete_database(self) -> None:
        for file in self.directory.glob(f"{DATABASE}*"):
            file.unlink()

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        engine = open_engine(self.settings.projection_url)
        yield Reader(engine)
        engine.dispose()

    def await_counts(self, expected: dict[str, int]) -> StatusCounts:
        """Wait until the projection has these batches."""
        with self.reader() as reader:

            def found() -> StatusCounts | None:
                counts = _answer(reader.counts)
                return counts if counts is not None and counts.batches == expected else None

            counts = await_that(found, f"the projection has {expected}")
            assert counts is not None
            return counts

    def await_history(self, records: int, letters: int = 0) -> None:
        """Wait until the projection has so many decisions and dead letters, which are read apart from states."""
        engine = open_engine(self.settings.projection_url)

        def found() -> bool:
            with engine.connect() as connection:
                history = connection.scalar(select(func.count()).select_from(tables.history))
            return history == records and len(Reader(engine).dead_letters().letters) == letters

        await_that(found, f"the projection has {records} decisions and {letters} dead letters")
        engine.dispose()

    def environment(self) -> dict[str, str]:
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "TOPIC_PREFIX": self.prefix,
            "TOPIC_PARTITIONS": "2",
            "PROJECTOR_GROUP": self.prefix,
            "PROJECTION_URL": self.settings.projection_url,
            "STATE_DIR": str(self.directory / "state"),
            "LOG_FORMAT": "console",
            "STARTUP_TIMEOUT_S": str(WAIT_S),
            "STOP_TIMEOUT_S": str(WAIT_S),
            "TOPIC_CHECK_INTERVAL_S": "0.5",
        }
        return {**os.environ, **{ENV_PREFIX + name: value for name, value in given.items()}}

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROCESS]
        process = subprocess.Popen(command, env=self.environment(), stderr=subprocess.PIPE, text=True)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test has left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    @contextmanager
    def projector(self) -> Iterator[subprocess.Popen[str]]:
        """A running projector, stopped in order afterwards."""
        process = self.start()
        try:
            yield process
        except BaseException:
            process.kill()
            sys.stderr.write(process.communicate()[1])
            raise
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == exit_codes.OK
        process.communicate()


def _answer(ask: Callable[[], StatusCounts]) -> StatusCounts | None:
    try:
        return ask()
    except ProjectionError:
        return None  # not made yet, or just deleted


@pytest.fixture
def world(kafka: Kafka, tmp_path: Path) -> Iterator[World]:
    with closing(World(kafka, tmp_path)) as made:
        yield made


def test_what_is_committed_is_projected_and_nothing_else(world: World) -> None:
    world.write(*world.step(range(1, 21), 100), letter(3))
    world.write(*world.step(range(21, 31), 200), commit=False)
    with world.projector():
        world.await_counts({"processing_pipelines": 20})
        world.write(
            *world.step(range(1, 6), 300, based_on=100, batch_status=BatchStatus.COMPLETED_SUCCESSFULLY),
            status_tombstone(batch_id(6), 400),
            history_outgoing(history(6, 400, NO_VERSION, 106, time_ms=NOW_MS)),
        )
        world.await_counts({"processing_pipelines": 14, "completed_successfully": 5})
        world.await_history(26, letters=1)
    with world.reader() as reader:
        assert reader.get(batch_id(1)) == status(1, 301, BatchStatus.COMPLETED_SUCCESSFULLY)
        assert reader.get(batch_id(6)) is None
        assert [record.version for record in reader.history(batch_id(1)).records] == [101, 301]
        assert reader.chain_breaks() == ()


def test_a_deleted_database_is_rebuilt_from_the_topics(world: World) -> None:
    world.write(*world.step(range(1, 21), 100))
    with world.projector():
        world.await_counts({"processing_pipelines": 20})
    world.delete_database()
    world.write(*world.step(range(21, 31), 200))
    with world.projector():
        world.await_counts({"processing_pipelines": 30})
        world.await_history(30)
    with world.reader() as reader:
        assert len(reader.history(batch_id(1)).records) == 1


def test_a_database_that_vanishes_while_it_is_used_ends_the_projector_and_the_next_rebuilds_it(world: World) -> None:
    world.write(*world.step(range(1, 21), 100))
    with world.projector() as process:
        world.await_counts({"processing_pipelines": 20})
        world.delete_database()
        world.write(*world.step(range(21, 31), 200))
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == exit_codes.PROJECTION
        assert "ORC-PROJECTION-REPLACED" in said
    with world.projector():
        world.await_counts({"processing_pipelines": 30})


def test_a_killed_projector_goes_on_where_its_database_ends(world: World) -> None:
    world.write(*world.step(range(1, 301), 1_000))
    process = world.start()
    with world.reader() as reader:
        await_that(lambda: (_answer(reader.counts) or StatusCounts({}, {})).batches, "something was projected")
        process.kill()
    process.communicate()
    world.write(*world.step(range(1, 301), 2_000, based_on=1_000, batch_status=BatchStatus.CANCELLED))
    with world.projector():
        counts = world.await_counts({"cancelled": 300})
        world.await_history(600)
    assert counts.phases["spellcheck"] == {"dispatch_initiated": 300}
    with world.reader() as reader:
        assert all(len(reader.history(batch_id(number)).records) == 2 for number in (1, 150, 300))
        assert reader.chain_breaks() == ()


def test_postgresql_serves_a_projector_that_is_killed(kafka: Kafka, tmp_path: Path) -> None:
    with postgres_server() as server, closing(World(kafka, tmp_path, server.new_database())) as world:
        world.write(*world.step(range(1, 101), 1_000), letter(3))
        process = world.start()
        world.await_counts({"processing_pipelines": 100})
        process.kill()
        process.communicate()
        world.write(*world.step(range(1, 51), 2_000, based_on=1_000, batch_status=BatchStatus.CANCELLED))
        with world.projector():
            world.await_counts({"processing_pipelines": 50, "cancelled": 50})
            world.await_history(150, letters=1)
        with world.reader() as reader:
            assert len(reader.history(batch_id(1)).records) == 2
            assert reader.chain_breaks() == ()


def test_another_clusters_projection_is_refused_at_the_start(world: World) -> None:
    engine = open_engine(world.settings.projection_url)
    Writer(engine).prepare(Identity("another cluster", "another inbox"))
    engine.dispose()
    process = world.start()
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == exit_codes.PROJECTION
    assert "ORC-PROJECTION-IDENTITY" in said


def test_a_projection_that_is_ahead_of_its_topics_is_refused(world: World) -> None:
    cluster = KafkaAdmin(world.settings.kafka())
    engine = open_engine(world.settings.projection_url)
    writer = Writer(engine)
    writer.prepare(Identity(cluster.cluster_id(), cluster.topic_id(world.table.name(Topic.INBOX))))
    world.write(*world.step(range(1, 21), 100))
    with world.projector():
        world.await_counts({"processing_pipelines": 20})
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE offsets SET next_offset = 1000000")
    engine.dispose()
    process = world.start()
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == exit_codes.PROJECTION
    assert "ORC-PROJECTION-AHEAD" in said


def remade(world: World, topic: Topic) -> None:
    """Delete a topic and make it again."""
    admin, name = world.admin, world.table.name(topic)
    admin.delete_topics([name])[name].result(WAIT_S)
    await_that(lambda: name not in admin.list_topics(timeout=WAIT_S).topics, "the topic is gone", WAIT_S)

    def made() -> bool:
        with suppress(OrchestratorError):
            provisioning.apply(world.settings, create_peer_topics=True)
        return name in admin.list_topics(timeout=WAIT_S).topics

    await_that(made, "the topic is made again", WAIT_S)


def ended(process: "subprocess.Popen[str]", code: int) -> str:
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == code, said
    return said


def test_a_topic_that_was_made_again_is_told_though_it_has_grown_past_the_projection(world: World) -> None:
    world.write(*world.step(range(1, 21), 100))
    with world.projector():
        world.await_counts({"processing_pipelines": 20})
    remade(world, Topic.STATUS)
    world.write(*world.step(range(1, 101), 2_000, based_on=100))
    said = ended(world.start(), exit_codes.PROJECTION)
    assert "ORC-PROJECTION-IDENTITY" in said
    assert world.table.name(Topic.STATUS) in said or Topic.STATUS.value in said
    world.delete_database()
    with world.projector():
        world.await_counts({"processing_pipelines": 100})


def test_a_topic_that_is_made_again_while_the_projector_runs_is_told(world: World) -> None:
    world.write(*world.step(range(1, 21), 100))
    process = world.start()
    world.await_counts({"processing_pipelines": 20})
    remade(world, Topic.STATUS)
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode in {exit_codes.RESTART, exit_codes.STATE, exit_codes.TOPIC}, said
    assert "ORC-PROJECTION-IDENTITY" in ended(world.start(), exit_codes.PROJECTION)


def remove_all(world: World, topic: Topic) -> None:
    """Remove every record of a topic, as retention does."""
    admin, name = world.admin, world.table.name(topic)
    places = [TopicPartition(name, number, OFFSET_END) for number in range(world.table.partitions)]
    for future in admin.delete_records(places).values():
        future.result(WAIT_S)


def test_history_that_was_removed_unread_is_told_and_the_rest_is_projected(world: World) -> None:
    world.write(*world.step(range(1, 21), 100))
    with world.projector():
        world.await_counts({"processing_pipelines": 20})
    world.write(*world.step(range(1, 21), 2_000, based_on=100))
    remove_all(world, Topic.HISTORY)
    process = world.start()
    world.write(*world.step(range(1, 21), 3_000, based_on=2_000, batch_status=BatchStatus.CANCELLED))
    world.await_counts({"cancelled": 20})
    process.terminate()
    assert "ORC-PROJECTION-GAP" in ended(process, exit_codes.OK)
