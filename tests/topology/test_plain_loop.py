"""The router on its consume loop, over a cluster in memory: nothing is lost, passed over or taken from another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime import exit_codes
from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from runtime.settings import Settings
from schemas.errors import OrchestratorError, StateError, TopicError
from schemas.inbound.transform import RecordTransform
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.records import decode_inbox
from schemas.topics import ROUTER_INPUTS, Topic
from tests.topology.loop_clients import GROUP, LoopClients, LoopConsumer, Trouble
from tests.topology.memory_clients import Died, Fate
from tests.topology.memory_kafka import MemoryKafka
from topology.router.routing import Routing
from topology.router.transform import registration_policy
from topology.stream.crash_guard import SUSPECT_ENDS, UNCLEAN_ENDS, CrashGuard
from topology.stream.plain_loop import BATCH, PlainLoop

SETTINGS = Settings(_env_file=None, topic_partitions=2)
READY = SETTINGS.topics().name(Topic.ESSAYS_READY)


class Left(BaseException):
    """The process ended itself at once."""

    def __init__(self, code: int, error: OrchestratorError) -> None:
        super().__init__(str(error))
        self.code, self.error = code, error


def leave(code: int, error: OrchestratorError) -> NoReturn:
    raise Left(code, error)


def ready(batch_id: str, number: int = 0) -> bytes:
    data: dict[str, Any] = {
        "batch_id": batch_id,
        "ready_essays": [{"essay_id": f"e{number}", "text_storage_id": f"t{number}"}],
    }
    data |= {"event": "batch.essays.ready", "metadata": {"entity": {"entity_id": batch_id, "entity_type": "batch"}}}
    data |= {"batch_entity": {"entity_id": batch_id, "entity_type": "batch"}}
    event = {"event_type": Topic.ESSAYS_READY.value, "source_service": "els", "data": data}
    return json.dumps({**event, "event_timestamp": "2026-01-01T00:00:00Z"}).encode()


class World:
    """Routers that follow each other on one cluster."""

    def __init__(self) -> None:
        self.kafka = MemoryKafka(SETTINGS.topics())
        self.transform = RecordTransform(registration_policy(SETTINGS), SETTINGS.limits())
        self.trouble = Trouble()
        self.fate = Fate()
        self.clients = LoopClients(self.kafka, self.fate, self.trouble)
        self.metrics = Metrics("router")
        self.twin = False

    def put(self, *batch_ids: str, partition: int = 0, key: bytes | None = None) -> None:
        for number, batch_id in enumerate(batch_ids):
            self.kafka.append((READY, partition), key, ready(batch_id, number))

    def loop(self, crashes: CrashGuard | None = None) -> PlainLoop:
        table = SETTINGS.topics()
        self.metrics = Metrics("router")
        health = ProcessHealth("router")
        inputs = {table.name(topic): topic for topic in ROUTER_INPUTS}
        self.clients = LoopClients(self.kafka, self.fate, self.trouble)
        loop = PlainLoop(
            list(inputs),
            Routing(table, inputs, self.transform, self.metrics, health),
            self.clients,
            commit_interval_s=0,
            silence_timeout_s=600,
            health=health,
            crashes=crashes,
            leave=leave,
        )
        loop.fence.twin_reports = lambda: self.twin
        self.clients.stop = loop.stop
        return loop

    def run(self, dies_at: int | None = None) -> None:
        """Run one process until it has read everything, or died."""
        self.fate = Fate(dies_at)
        self.loop().run()

    def routed(self) -> list[str]:
        """The batches of the inbox records, partition by partition."""
        return [decode_inbox(record.value or b"").batch_id for record in self.kafka.read(Topic.INBOX)]

    def origins(self, batch_id: str) -> list[tuple[int, int]]:
        """Partition and offset of the inputs of a batch's inbox records, in their order."""
        found = [decode_inbox(record.value or b"") for record in self.kafka.read(Topic.INBOX)]
        return [(one.origin.partition, one.origin.offset) for one in found if one.batch_id == batch_id]

    def committed(self, partition: int = 0) -> int | None:
        return self.kafka.offsets.get((GROUP, READY, partition))


@pytest.fixture
def world() -> World:
    return World()


def test_records_without_keys_are_routed_in_the_order_of_each_partition(world: World) -> None:
    for partition in range(3):
        world.put(*["a", "b"] * 150, partition=partition)
    world.run()
    for batch_id, first in (("a", 0), ("b", 1)):
        found = world.origins(batch_id)
        for partition in range(3):
            assert [offset for at, offset in found if at == partition] == list(range(first, 300, 2))
    assert [world.committed(partition) for partition in range(3)] == [300, 300, 300]
    read = world.metrics.exposition()[0].decode()
    assert f'records_read_total{{topic="{Topic.ESSAYS_READY.value}"}} 900.0' in read
    assert f'records_written_total{{topic="{Topic.INBOX.value}"}} 900.0' in read


def test_headers_that_repeat_and_values_that_are_missing_pass(world: World) -> None:
    headers = (("trace", b"1"), ("trace", b"2"), ("null", None))
    world.kafka.append((READY, 0), None, None, headers)  # type: ignore[arg-type]
    world.put("a")
    world.run()
    assert world.routed() == ["a"]
    [record] = world.kafka.read(Topic.DEAD_LETTERS)
    assert parse_dead_letter(record.key or b"", dict(record.headers), record.value).code == "ORC-NOT-JSON"


def test_the_end_of_a_partition_is_committed_behind_a_marker(world: World) -> None:
    world.put("a")
    world.kafka.append((READY, 0), None, None)[0].state = "marker"
    world.run()
    assert world.committed() == 2


def test_what_a_consume_call_with_a_rebalance_returns_is_read_again(world: World) -> None:
    world.put("a", "b", "c", "d", "e")
    world.trouble.inside[5 + 3] = LoopConsumer.rebalance  # the call of the first assignment is read again, too
    world.run()
    assert sorted(world.routed()) == ["a", "b", "c", "d", "e"]
    assert world.committed() == 5
    assert world.clients.consumer is not None
    assert world.clients.consumer.assignments == 4  # each one again after the call


def test_a_partition_that_another_process_owns_now_is_left_alone(world: World) -> None:
    world.put(*["a"] * 250, partition=0)
    world.put(*["b"] * 5, partition=1)

    handed_over: list[int | None] = []

    def taken(consumer: LoopConsumer) -> None:
        """Another member reads partition 0 on to its end, while this one holds records of it in its hands."""

        def other() -> None:
            handed_over.append(world.committed())
            world.kafka.offsets[GROUP, READY, 0] = 250

        consumer.rebalance({(READY, 1)}, between=other)

    world.trouble.inside[3 * BATCH + 30] = taken  # the first call was read again
    world.run()
    assert handed_over == [world.routed().count("a")]  # what was routed was delivered, and committed before
    assert BATCH < world.routed().count("a") <= 2 * BATCH
    assert world.routed().count("b") == 5
    assert (world.committed(0), world.committed(1)) == (250, 5)


@pytest.mark.parametrize("first", [2, 3 + 2])
def test_an_error_within_a_batch_ends_the_process_and_passes_over_nothing(world: World, first: int) -> None:
    """In the call of the first assignment, whose records are read again, and in the next one."""
    world.put("a", "b", "c")
    world.trouble.error_at = (first, KafkaError._AUTO_OFFSET_RESET)
    with pytest.raises(StateError, match="has no offset"):
        world.run()
    assert world.committed() is None
    world.trouble.error_at = None
    world.run()
    assert sorted(world.routed()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("code", "error"),
    [(KafkaError.UNKNOWN_TOPIC_OR_PART, TopicError), (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaException)],
)
def test_other_errors_within_a_batch_keep_their_kind(world: World, code: int, error: type[Exception]) -> None:
    world.put("a", "b")
    world.trouble.error_at = (1, code)
    with pytest.raises(error):
        world.run()
    assert world.committed() is None


def test_a_full_producer_queue_is_waited_for(world: World) -> None:
    world.put(*["a"] * 250)
    world.trouble.room = 3
    world.run()
    assert world.origins("a") == [(0, offset) for offset in range(250)]
    assert world.committed() == 250


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("code", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_an_output_that_fails_is_never_passed_over(world: World, *, code: int, at_once: bool) -> None:
    world.put(*["a"] * 150, "lost", *["a"] * 150)
    world.trouble.refused = {b"lost": code}
    world.trouble.refused_at_once = at_once
    with pytest.raises(TopicError, match=SETTINGS.topics().name(Topic.INBOX)):
        world.run()
    assert (world.committed() or 0) <= 150
    world.trouble.refused = {}
    world.run()
    assert {offset for _, offset in world.origins("a") + world.origins("lost")} == set(range(301))
    assert world.committed() == 301


def test_an_output_that_cannot_reach_the_cluster_is_an_outage(world: World) -> None:
    world.put("lost")
    world.trouble.refused = {b"lost": KafkaError._MSG_TIMED_OUT}
    with pytest.raises(KafkaException):
        world.run()
    assert world.committed() in {None, 0}


def test_nothing_is_committed_before_it_is_delivered(world: World) -> None:
    world.put(*["a"] * 250)
    world.trouble.late = True
    seen: list[int | None] = []
    world.trouble.inside[BATCH + 240] = lambda _: seen.append(world.committed())
    world.run()
    assert seen == [None]
    assert world.committed() == 250  # a stop waits for the deliveries


def test_a_process_that_dies_anywhere_repeats_and_loses_nothing(world: World) -> None:
    batches = [f"batch-{number}" for number in range(8)]
    whole = World()
    whole.put(*batches)
    whole.run()
    for step in range(len(whole.fate.steps)):
        world = World()
        world.put(*batches)
        with pytest.raises(Died):
            world.run(dies_at=step)
        world.run()
        routed = world.routed()
        assert set(routed) == set(batches), step
        assert len(routed) <= 2 * len(batches), step
        assert world.committed() == 8, step


def test_a_commit_that_fails_in_a_rebalance_is_repeated(world: World) -> None:
    world.put(*["a"] * 250)
    world.trouble.commit_errors = [KafkaError.REBALANCE_IN_PROGRESS, KafkaError.COORDINATOR_LOAD_IN_PROGRESS]
    world.run()
    assert world.committed() == 250


def test_a_commit_that_is_not_allowed_ends_the_process(world: World) -> None:
    world.put(*["a"] * 250)
    world.trouble.commit_errors = [KafkaError.GROUP_AUTHORIZATION_FAILED]
    with pytest.raises(KafkaException):
        world.run()


def test_lost_partitions_end_the_process_at_once(world: World) -> None:
    world.put("a", "b")
    world.trouble.inside[3] = LoopConsumer.lose
    with pytest.raises(Left) as left:
        world.run()
    assert left.value.code == exit_codes.LOST
    assert world.committed() is None


@pytest.mark.parametrize(("twin", "code"), [(True, exit_codes.CONFIGURATION), (False, exit_codes.LOST)])
def test_a_fenced_process_ends_and_tells_whether_another_one_is_there(world: World, *, twin: bool, code: int) -> None:
    world.put("a", "b")
    world.twin = twin
    fenced = KafkaError(KafkaError._FATAL, "static instance id is fenced")
    world.trouble.inside[3] = lambda consumer: consumer.fail(fenced)
    with pytest.raises(Left) as left:
        world.run()
    assert left.value.code == code


def test_a_guard_that_refuses_an_assignment_ends_the_process(world: World) -> None:
    def refuse(_consumer: object, _partitions: list[TopicPartition]) -> None:
        raise StateError("offsets are lost", next_step="decide")

    world.put("a")
    loop = world.loop()
    loop._guards = (refuse,)  # type: ignore[assignment]
    with pytest.raises(StateError, match="offsets are lost"):
        loop.run()
    assert world.routed() == []


def kills(world: World, poison: bytes) -> Callable[..., object]:
    apply = world.transform.apply

    def poisoned(topic: Topic, at: object, key: object, value: bytes | None, headers: object) -> object:
        if value == poison:
            world.fate.dead = True
            raise Died("poison")
        return apply(topic, at, key, value, headers)  # type: ignore[arg-type]

    return poisoned


def test_a_record_that_kills_the_process_is_set_aside_and_all_else_is_routed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a", "poison", "b")
    poison = world.kafka.logs[READY, 0][1].value
    assert poison is not None
    monkeypatch.setattr(world.transform, "apply", kills(world, poison))
    world.kafka.offsets[GROUP, READY, 0] = 0  # the router claims its partitions at its first start
    deaths = 0
    while deaths < 20:
        world.fate = Fate()
        guard = CrashGuard(tmp_path, "owner")
        guard.__enter__()
        try:
            world.loop(guard).run()
        except Died:
            deaths += 1
            guard._file.close()
            continue
        guard.__exit__(None, None, None)
        break
    assert deaths == UNCLEAN_ENDS + SUSPECT_ENDS
    assert set(world.routed()) == {"a", "b"}
    [letter] = world.kafka.read(Topic.DEAD_LETTERS)
    assert dict(letter.headers)["code"] == b"ORC-PROCESS-CRASHED"
    assert world.committed() == 3
    assert not guard.careful
