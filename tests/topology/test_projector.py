"""The projector's stream on a cluster in memory: killed at every step, it ends with the same projection."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from quixstreams.internal_consumer import InternalConsumer

from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from runtime.settings import Settings
from schemas.internal.enums import BatchStatus
from schemas.internal.history import NO_VERSION
from schemas.internal.records import history_outgoing, status_outgoing, status_tombstone
from state.projection import Applied, Identity, ProjectedRecord, Writer, open_engine, tables
from state.projection.compare import kept_rows
from tests.topology.driver import MemoryApplication
from tests.topology.memory_clients import Died, Fate, MemoryConsumer
from tests.topology.memory_kafka import MemoryKafka
from tests.unit.state.projection.log import batch_id, history, letter, status
from topology.projector.app import COMMIT_INTERVAL_S, INPUTS, build, idle_before_commit_s, observer, projector_options
from topology.projector.sink import ProjectionSink, StartFromProjection
from topology.stream.known_topics import KnownTopics


class AssignedConsumer(MemoryConsumer):
    """Starts where the assignment says, as Kafka's consumer does."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        super().assign(partitions)
        for each in partitions:
            if each.offset >= 0 or each.offset == OFFSET_BEGINNING:
                self.seek(each)


class ProjectorApplication(MemoryApplication):
    def _get_internal_consumer(self, on_error: Any = None, extra_config_overrides: Any = None) -> InternalConsumer:
        consumer = super()._get_internal_consumer(on_error, extra_config_overrides)
        client = AssignedConsumer(self._kafka, self._fate, self._config.consumer_group, self.stop)
        consumer._inner_consumer = client
        return consumer


class DyingWriter(Writer):
    """A writer whose process can be killed before a transaction, and between it and what follows."""

    fate: Fate

    def apply(self, records: Sequence[ProjectedRecord]) -> Applied:
        self.fate.step("apply")
        applied = super().apply(records)
        self.fate.step("applied")
        return applied

    def prune(self, now_ms: int) -> bool:  # noqa: ARG002
        """Keep these records, which are old."""
        return False


class World:
    def __init__(self, directory: Path, message_path: str) -> None:
        self.directory = directory
        self.settings = Settings.model_validate(
            {"topic_partitions": 2, "state_dir": directory / "state", "message_path": message_path}
        )
        self.kafka = MemoryKafka(self.settings.topics())
        self.metrics = Metrics("projector")
        self.fate = Fate()

    def run(self, database: str, *, dies_at: int | None = None, every: int = 3) -> None:
        """A process from its start until it has read everything, or dies before its step `dies_at`."""
        self.fate = Fate(dies_at)
        engine = open_engine(f"sqlite:///{self.directory}/{database}.db")
        try:
            writer = DyingWriter(engine)
            writer.fate = self.fate
            writer.prepare(Identity("memory", "inbox"))
            topics = {self.settings.topics().name(topic): topic for topic in INPUTS}
            sink = ProjectionSink(writer, topics, stopping=Event(), observe=observer(self.metrics))
            options = projector_options(self.settings, ProcessHealth("projector"))
            guards = [StartFromProjection(sink, topics, self.kafka)]
            application = ProjectorApplication(
                kafka=self.kafka,
                fate=self.fate,
                guards=guards,
                topics=KnownTopics(self.kafka, list(topics)),
                state_dir=self.settings.state_dir,
                **options,
            )
            application._processing_context.commit_every = every
            own = self.settings.message_path == "own"
            build(application, topics, sink, self.metrics, ProcessHealth("projector"), own_path=own)
            application.run()
        finally:
            engine.dispose()

    def contents(self, database: str) -> dict[str, list[Any]]:
        engine = open_engine(f"sqlite:///{self.directory}/{database}.db")
        with engine.connect() as connection:
            found = {
                table.name: [tuple(row) for row in connection.execute(kept_rows(table))]
                for table in tables.metadata.sorted_tables
            }
        engine.dispose()
        return found

    def fill(self) -> None:
        for number in range(1, 5):
            self.kafka.send(status_outgoing(status(number, number)))
            self.kafka.send(history_outgoing(history(number, number, number, NO_VERSION)))
        self.kafka.send(letter(1))
        self.kafka.send(status_outgoing(status(1, 10, BatchStatus.CANCELLED)))
        self.kafka.send(history_outgoing(history(1, 10, 10, 1)))
        self.kafka.send(status_tombstone(batch_id(2), 11))
        self.kafka.send(history_outgoing(history(2, 11, NO_VERSION, 2)))


@pytest.fixture(params=["library", "own"])
def world(in_memory: Path, request: pytest.FixtureRequest) -> World:
    world = World(in_memory, request.param)
    world.fill()
    world.run("whole")
    return world


@pytest.mark.slow
def test_a_projector_killed_at_any_step_ends_with_the_same_projection(world: World) -> None:
    expected, steps = world.contents("whole"), len(world.fate.steps)
    assert {"apply", "applied", "commit offsets"} <= set(world.fate.steps)
    for dies_at in range(steps):
        world.kafka.offsets.clear()
        with pytest.raises(Died):
            world.run(f"killed-{dies_at}", dies_at=dies_at)
        world.run(f"killed-{dies_at}")
        assert world.contents(f"killed-{dies_at}") == expected, f"killed before step {dies_at}"


def test_committed_offsets_ahead_of_a_new_database_skip_nothing(world: World) -> None:
    assert world.kafka.offsets
    world.run("new")
    assert world.contents("new") == world.contents("whole")


def test_a_database_that_is_up_to_date_is_not_written_again(world: World) -> None:
    world.kafka.offsets.clear()
    world.run("whole")
    assert "apply" not in world.fate.steps


def test_what_should_not_be_is_counted(world: World) -> None:
    world.kafka.send(history_outgoing(history(3, 20, 20, 2)))
    world.kafka.append((world.settings.topics().name(INPUTS[0]), 0), b"key", b"not JSON")
    world.run("whole")
    exposition = world.metrics.exposition()[0].decode()
    assert "batch_orchestrator_chain_breaks_total 1.0" in exposition
    assert 'batch_orchestrator_unreadable_records_total{topic="huleedu.batch.status.v1"} 1.0' in exposition


def test_a_single_record_is_written_at_once_and_many_are_gathered() -> None:
    assert idle_before_commit_s(1) <= 0.01
    assert idle_before_commit_s(10_000) == COMMIT_INTERVAL_S
