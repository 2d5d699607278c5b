"""The product's own Kafka clients on a real Kafka: what `runtime.kafka` asks, and how it reads partitions."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from cli.broker import Kafka
from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.kafka.partition_reader import EndOfPartition, KafkaRecord, PartitionReader, read_to_ends
from schemas.errors import BrokerError, TopicError
from schemas.topics import TopicSpec
from tests.patience import PATIENCE_S, await_that

WAIT_S = PATIENCE_S
GROUP = "kafka-clients-test"


@pytest.fixture(scope="module")
def address(kafka: Kafka) -> dict[str, str]:
    return {"bootstrap.servers": kafka.bootstrap_servers}


@pytest.fixture
def topic(address: dict[str, str]) -> str:
    """A topic of two partitions: on the first three committed records and one that was aborted."""
    spec = TopicSpec(
        name=f"clients-{uuid4().hex[:8]}", owner="own", partitions=2, cleanup="delete", max_message_bytes=500_000
    )
    KafkaAdmin(address).create_topics([spec], replication=1)
    producer = Producer({**address, "transactional.id": spec.name})
    producer.init_transactions(WAIT_S)
    for keys, end in (([b"a", b"b", b"c"], producer.commit_transaction), ([b"x"], producer.abort_transaction)):
        producer.begin_transaction()
        for key in keys:
            producer.produce(
                spec.name, key=key, value=key.upper(), partition=0, timestamp=1_000_000, headers={"n": key}
            )
        producer.flush(WAIT_S)
        end(WAIT_S)
    # The broker answers the end of a transaction before it has written the markers.
    admin, first = KafkaAdmin(address), (spec.name, 0)
    await_that(lambda: admin.log_ends([first], committed=True) == {first: 6}, "both markers are written")
    return spec.name


def test_an_admin_tells_what_a_topic_is(address: dict[str, str], topic: str) -> None:
    admin = KafkaAdmin(address)
    assert admin.partition_counts([topic, "no-such-topic"]) == {topic: 2}
    assert admin.topic_ids([topic, "no-such-topic"]) == {topic: admin.topic_id(topic)}
    assert admin.max_message_bytes([topic]) == {topic: 500_000}
    assert admin.cluster_id()
    with pytest.raises(TopicError, match="no-such-topic"):
        admin.topic_id("no-such-topic")


def test_an_admin_tells_where_a_log_begins_and_ends(address: dict[str, str], topic: str) -> None:
    admin = KafkaAdmin(address)
    first, second = (topic, 0), (topic, 1)
    assert admin.log_starts([first, second]) == {first: 0, second: 0}
    # Three records and their marker, one record and its marker.
    assert admin.log_ends([first, second], committed=False) == {first: 6, second: 0}
    assert admin.log_ends([first, second], committed=True) == {first: 6, second: 0}
    assert admin.offsets_since([first, second], 1_000_000) == {first: 0, second: -1}


def test_a_topic_that_is_there_stays_as_it_is(address: dict[str, str], topic: str) -> None:
    admin = KafkaAdmin(address)
    other = TopicSpec(name=topic, owner="own", partitions=7, cleanup="compact", max_message_bytes=1_000)
    admin.create_topics([other], replication=1)
    assert admin.partition_counts([topic]) == {topic: 2}


def test_reading_to_the_ends_gives_committed_records_with_their_headers(address: dict[str, str], topic: str) -> None:
    found = list(read_to_ends(address, (topic,), group=GROUP, timeout_s=WAIT_S))
    assert [(record.key, record.value, record.headers) for record in found] == [
        (key, key.upper(), (("n", key),)) for key in (b"a", b"b", b"c")
    ]
    everything = read_to_ends(address, (topic,), group=GROUP, timeout_s=WAIT_S, committed=False)
    assert [record.key for record in everything] == [b"a", b"b", b"c", b"x"]


def test_reading_ends_on_a_topic_that_is_written_to_all_the_time(address: dict[str, str], topic: str) -> None:
    producer = Producer({**address, "linger.ms": 0})

    def write() -> None:
        for partition in (0, 1):
            producer.produce(topic, key=b"more", partition=partition)
        producer.flush(WAIT_S)

    def write_on() -> None:
        while not stopping.is_set():
            write()

    write()
    with ThreadPoolExecutor(1) as pool:
        stopping = Event()
        writing = pool.submit(write_on)
        try:
            found = list(read_to_ends(address, (topic,), group=GROUP, timeout_s=WAIT_S))
        finally:
            stopping.set()
            writing.result(WAIT_S)
    assert {record.partition for record in found} == {0, 1}


def test_a_topic_that_is_missing_is_named(address: dict[str, str]) -> None:
    with pytest.raises(TopicError, match="do not exist: none-at-all"):
        list(read_to_ends(address, ("none-at-all",), group=GROUP, timeout_s=WAIT_S))


def test_a_reader_begins_where_it_is_told(address: dict[str, str], topic: str) -> None:
    starts: dict[Partition, int | None] = {(topic, 0): 2, (topic, 1): None}
    with PartitionReader(address, GROUP) as reader:
        reader.assign(starts)
        records: list[KafkaRecord] = []
        ended: set[Partition] = set()
        deadline = time.monotonic() + WAIT_S
        while ended != starts.keys():
            assert time.monotonic() < deadline
            found = reader.poll(1.0)
            if isinstance(found, EndOfPartition):
                ended.add(found.partition)
            elif found is not None:
                records.append(found)
    assert [(record.offset, record.key) for record in records] == [(2, b"c")]


def test_committed_offsets_are_kept(address: dict[str, str], topic: str) -> None:
    with CommittedOffsets(address, f"{topic}-group", timeout_s=WAIT_S) as offsets:
        assert offsets.read([(topic, 0)]) == {}
        offsets.commit({(topic, 0): 3})
        assert offsets.read([(topic, 0), (topic, 1)]) == {(topic, 0): 3}


def test_an_offset_that_cannot_be_read_is_not_taken_for_none(address: dict[str, str], topic: str) -> None:
    # One partition of the two has an open transaction, so that the answer about it alone is an error.
    group = f"{topic}-group"
    with CommittedOffsets(address, group, timeout_s=WAIT_S) as offsets:
        offsets.commit({(topic, 0): 1, (topic, 1): 0})
    member = Consumer({**address, "group.id": group})
    producer = Producer({**address, "transactional.id": group})
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 2)], member.consumer_group_metadata(), WAIT_S)
    with (
        CommittedOffsets(address, group, timeout_s=2) as offsets,
        pytest.raises(BrokerError, match=f"committed offsets of group {group}"),
    ):
        offsets.read([(topic, 0), (topic, 1)])
    producer.abort_transaction(WAIT_S)
    with CommittedOffsets(address, group, timeout_s=WAIT_S) as offsets:
        assert offsets.read([(topic, 0), (topic, 1)]) == {(topic, 0): 1, (topic, 1): 0}
    member.close()


def test_a_cluster_that_is_not_there_is_told_with_its_address() -> None:
    nowhere = {"bootstrap.servers": "127.0.0.1:9"}
    with pytest.raises(BrokerError, match=r"No Kafka broker answers at 127\.0\.0\.1:9 within 1 s"):
        KafkaAdmin(nowhere).require_reachable(1)
    with (
        CommittedOffsets(nowhere, GROUP, timeout_s=1) as offsets,
        pytest.raises(BrokerError, match=f"committed offsets of group {GROUP}"),
    ):
        offsets.read([("a", 0)])
