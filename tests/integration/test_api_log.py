"""How the api reads a real Kafka: committed records alone, and never held up by what nobody can read."""

import asyncio
import ctypes
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer, cimpl

from api.kafka_log.consumer import KafkaLogConsumer
from api.kafka_log.ends import KafkaEnds
from api.kafka_log.kafka_log import LogPartition, LogRecord
from api.kafka_log.request_producer import KafkaRequestLog
from api.queries.projection import DatabaseProjection
from cli.broker import Kafka
from cli.verifier import read_topic
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.partitioner import partition_of
from runtime.settings import Settings
from schemas.errors import BrokerError, ProjectionError, RecordTooLarge, TopicError
from schemas.topics import Topic
from state.projection import Identity, Writer, open_engine
from tests.integration.orchestrating import read_topics
from tests.patience import PATIENCE_S
from topology.topics import provisioning

WAIT_S = PATIENCE_S
KEYS = [f"batch-{number}".encode() for number in range(40)]


class World:
    """Topics of a test's own, and a transactional producer such as the orchestrator's."""

    def __init__(self, kafka: Kafka) -> None:
        self.settings = Settings(
            _env_file=None,
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            topic_prefix=f"apilog-{uuid.uuid4().hex[:8]}",
            topic_partitions=2,
            startup_timeout_s=WAIT_S,
        )
        provisioning.apply(self.settings, create_peer_topics=True)
        self.topics = self.settings.topics()
        self.producer = Producer(
            {**self.settings.kafka(), "transactional.id": self.settings.topic_prefix, "partitioner": "murmur2"}
        )
        self.producer.init_transactions(WAIT_S)

    def write(self, topic: Topic, keys: list[bytes], *, commit: bool = True) -> None:
        self.producer.begin_transaction()
        self.produce(topic, keys)
        if commit:
            self.producer.commit_transaction(WAIT_S)
        else:
            self.producer.abort_transaction(WAIT_S)

    def produce(self, topic: Topic, keys: list[bytes]) -> None:
        for key in keys:
            self.producer.produce(self.topics.name(topic), key=key, value=key, headers=[("version", b"1")])
        self.producer.flush(WAIT_S)

    def log(self) -> KafkaLogConsumer:
        return KafkaLogConsumer(self.settings.kafka(), self.topics, 8_388_608)

    async def ends(self) -> dict[LogPartition, int]:
        ends = KafkaEnds(KafkaAdmin(self.settings.kafka()), self.topics)
        return {p: await ends.end(p, WAIT_S) for p in (LogPartition(Topic.STATUS, 0), LogPartition(Topic.STATUS, 1))}

    def stable_ends(self) -> dict[LogPartition, int]:
        """Where committed records end for now: before the first open transaction of each partition."""
        name = self.topics.name(Topic.STATUS)
        ends = KafkaAdmin(self.settings.kafka()).log_ends([(name, 0), (name, 1)], committed=True)
        return {LogPartition(Topic.STATUS, number): end for (_, number), end in ends.items()}


@pytest.fixture
def world(kafka: Kafka) -> World:
    return World(kafka)


def read_until(log: KafkaLogConsumer, done: Callable[[list[LogRecord]], bool]) -> list[LogRecord]:
    found: list[LogRecord] = []
    deadline = time.monotonic() + WAIT_S
    while not done(found):
        assert time.monotonic() < deadline, f"read {len(found)} records, positions {log.positions()}"
        found += log.read(0.2)
    return found


def test_positions_pass_control_records_and_aborted_transactions(world: World) -> None:
    world.write(Topic.STATUS, KEYS)
    world.write(Topic.STATUS, [b"aborted", *KEYS], commit=False)
    ends = asyncio.run(world.ends())
    log = world.log()
    try:
        log.start({})
        found = read_until(log, lambda _: all(log.positions()[p] >= end for p, end in ends.items()))
    finally:
        log.close()
    assert sorted(record.key for record in found) == sorted(KEYS), "committed records, each once"
    assert all(record.partition.number == partition_of(record.key, 2) for record in found), "where they are sought"
    assert found[0].headers == {"version": b"1"}


def test_the_end_counts_what_an_open_transaction_has_written(world: World) -> None:
    world.write(Topic.STATUS, KEYS)
    before = asyncio.run(world.ends())
    world.producer.begin_transaction()
    world.produce(Topic.STATUS, KEYS)
    during = asyncio.run(world.ends())
    assert all(during[p] > before[p] for p in before)
    log = world.log()
    try:
        log.start({})
        read_until(log, lambda found: len(found) >= len(KEYS))
        stable = world.stable_ends()  # the furthest that a reader of committed records can come
        read_until(log, lambda _: all(log.positions()[p] >= end for p, end in stable.items()))
        assert all(log.positions()[p] < end for p, end in during.items()), "an open transaction is not passed"
        world.producer.commit_transaction(WAIT_S)
        read_until(log, lambda _: all(log.positions()[p] >= end for p, end in during.items()))
    finally:
        log.close()


def test_it_starts_where_the_projection_is_and_answers_at_the_end(world: World) -> None:
    world.write(Topic.STATUS, KEYS)
    world.write(Topic.HISTORY, KEYS)
    first = [key for key in KEYS if partition_of(key, 2) == 0]
    log = world.log()
    try:
        end = asyncio.run(world.ends())[LogPartition(Topic.STATUS, 1)]
        with pytest.raises(ProjectionError, match="ORC-PROJECTION-AHEAD"):
            log.start({LogPartition(Topic.STATUS, 1): end + 1})
        log.start({LogPartition(Topic.STATUS, 0): 3, LogPartition(Topic.STATUS, 1): end})
        wanted = len(first) - 3
        found = read_until(log, lambda found: len(found) >= wanted)
    finally:
        log.close()
    assert [record.key for record in found] == first[3:], "old history and what is projected are left out"


def test_a_missing_topic_and_a_missing_cluster_are_told(world: World) -> None:
    missing = KafkaLogConsumer(world.settings.kafka(), Settings(topic_prefix="none-at-all").topics(), 1_000)
    with pytest.raises(TopicError, match="bos topics apply"):
        missing.reach()
    missing.close()


def test_requests_are_durable_when_append_returns(world: World) -> None:
    async def append() -> None:
        requests = KafkaRequestLog(
            world.settings.kafka(), world.topics.name(Topic.REQUESTS), timeout_s=WAIT_S, largest_bytes=10_000_000
        )
        try:
            await asyncio.gather(*(requests.append(key, key) for key in KEYS))
            with pytest.raises(RecordTooLarge):
                await requests.append(b"k", os.urandom(9_000_000))  # no compression makes it fit
        finally:
            await requests.close()

    asyncio.run(append())
    names = [world.topics.name(Topic.REQUESTS)]
    found = read_topics(world.settings.kafka_bootstrap_servers, names, "read_committed")
    assert sorted(message.key() or b"" for message in found) == sorted(KEYS)


def test_a_cluster_that_does_not_acknowledge_is_told() -> None:
    async def append() -> None:
        requests = KafkaRequestLog({"bootstrap.servers": "127.0.0.1:1"}, "t", timeout_s=0.5, largest_bytes=1_000)
        try:
            with pytest.raises(BrokerError, match="not acknowledged"):
                await requests.append(b"k", b"v")
        finally:
            await requests.close()

    asyncio.run(append())


def test_a_projection_of_another_cluster_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/projection.db"
    mine, other = Identity("cluster", "inbox"), Identity("cluster", "another inbox")
    projection = DatabaseProjection(url, lambda: mine, timeout_s=WAIT_S)
    with pytest.raises(ProjectionError, match="No projector"):
        projection.offsets()
    engine = open_engine(url)
    Writer(engine).prepare(other)
    with pytest.raises(ProjectionError, match="another cluster or inbox"):
        projection.offsets()
    assert DatabaseProjection(url, lambda: other, timeout_s=WAIT_S).offsets() == {}
    engine.dispose()
    projection.close()


def test_positions_are_never_past_the_end_and_another_log_goes_on_there(world: World) -> None:
    world.write(Topic.STATUS, KEYS)
    log, following = world.log(), world.log()
    try:
        ends = log.start({})
        read_until(log, lambda _: all(log.positions()[p] >= end for p, end in ends.items()))
        for _ in range(10):  # ends of partitions come in batches with whatever else is there
            log.read(0.1)
        assert log.positions() == ends
        following.resume(log.positions())
        world.write(Topic.STATUS, [b"later"])
        assert [record.key for record in read_until(following, lambda found: len(found) > 0)] == [b"later"]
    finally:
        log.close()
        following.close()


def test_what_a_producer_has_not_written_when_it_is_replaced_is_written_by_the_next(world: World) -> None:
    async def append() -> None:
        requests = KafkaRequestLog(
            world.settings.kafka(), world.topics.name(Topic.REQUESTS), timeout_s=WAIT_S, largest_bytes=1_000
        )
        try:
            waiting = [asyncio.create_task(requests.append(key, key)) for key in KEYS * 20]
            await asyncio.sleep(0)
            await asyncio.to_thread(requests._replace)
            await asyncio.gather(*waiting)
        finally:
            await requests.close()

    asyncio.run(append())
    written = {record.key for record in read_topic(world.settings.kafka(), world.topics.name(Topic.REQUESTS))}
    assert written == {key.decode() for key in KEYS}


def test_a_producer_with_a_fatal_error_is_replaced(world: World) -> None:
    async def append() -> None:
        requests = KafkaRequestLog(
            world.settings.kafka(), world.topics.name(Topic.REQUESTS), timeout_s=WAIT_S, largest_bytes=1_000
        )
        try:
            await requests.append(KEYS[0], b"before")
            end_fatally(requests._producer)
            deadline = time.monotonic() + WAIT_S
            while not await taken(requests):
                assert time.monotonic() < deadline
        finally:
            await requests.close()

    async def taken(requests: KafkaRequestLog) -> bool:
        try:
            await requests.append(KEYS[0], b"after")
        except BrokerError:
            await asyncio.sleep(0.05)
            return False
        return True

    asyncio.run(append())


def end_fatally(producer: Producer) -> None:
    """Put a producer into the state that an unrecoverable gap in its sequence leads to, by librdkafka's own means."""
    library = ctypes.CDLL(cimpl.__file__)
    at_handle = id(producer) + object.__basicsize__
    handle = ctypes.c_void_p.from_address(at_handle)
    set_fatal = library.rd_kafka_test_fatal_error
    set_fatal.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    set_fatal(handle, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, b"a test")
