"""Fetching records by their coordinates from a real Kafka."""

import time
from collections.abc import Iterator
from threading import Event
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cli.broker import Kafka
from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.record_fetcher import RecordFetcher
from schemas.errors import BrokerError, RecordsExpired
from schemas.topics import TopicSpec
from tests.patience import PATIENCE_S

WAIT_S = PATIENCE_S
RECORDS = 1_000
ABORTED = 3
"""Records of an aborted transaction after those, and one that was committed after them: at RECORDS + ABORTED + 2."""


@pytest.fixture(scope="module")
def address(kafka: Kafka) -> dict[str, str]:
    return {"bootstrap.servers": kafka.bootstrap_servers}


@pytest.fixture(scope="module")
def partition(address: dict[str, str]) -> Partition:
    name = f"fetcher-{uuid4().hex[:8]}"
    spec = TopicSpec(
        name=name, owner="own", partitions=1, cleanup="delete", max_message_bytes=5_000_000, append_time=True
    )
    KafkaAdmin(address).create_topics([spec], replication=1)
    producer = Producer({**address, "transactional.id": name, "linger.ms": 20, "message.max.bytes": 4_000_000})
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    for number in range(RECORDS):
        producer.produce(name, key=b"%d" % (number % 10), value=b"%d" % number + b"x" * 1_000, partition=0)
        producer.poll(0)
    producer.commit_transaction(WAIT_S)
    producer.begin_transaction()
    for number in range(ABORTED):
        producer.produce(name, key=b"1", value=b"aborted %d" % number, partition=0)
    producer.flush(WAIT_S)
    producer.abort_transaction(WAIT_S)
    producer.begin_transaction()
    producer.produce(name, key=b"1", value=b"L" * 3_000_000, partition=0)
    producer.commit_transaction(WAIT_S)
    return name, 0


@pytest.fixture
def fetcher(address: dict[str, str]) -> Iterator[RecordFetcher]:
    with RecordFetcher(address, "fetcher-test") as opened:
        yield opened


def number_of(value: bytes | None) -> int:
    return int((value or b"").rstrip(b"x"))


def test_records_come_from_their_offsets_far_apart_and_side_by_side(
    fetcher: RecordFetcher, partition: Partition
) -> None:
    wanted = [999, 0, 1, 2, 150, 700, 3]
    found = fetcher.fetch(partition, wanted, timeout_s=WAIT_S)
    assert [record.offset for record in found] == sorted(wanted)
    assert [number_of(record.value) for record in found] == sorted(wanted)
    assert all(record.time_ms > 1_700_000_000_000 for record in found)


def test_one_fetcher_answers_one_question_after_the_other(fetcher: RecordFetcher, partition: Partition) -> None:
    for wanted in ([500], [10, 990], [500], []):
        found = fetcher.fetch(partition, wanted, timeout_s=WAIT_S)
        assert [record.offset for record in found] == wanted


def test_a_large_record_comes_whole(fetcher: RecordFetcher, partition: Partition) -> None:
    offset = RECORDS + 1 + ABORTED + 1
    [record] = fetcher.fetch(partition, [offset], timeout_s=WAIT_S)
    assert len(record.value or b"") == 3_000_000


@pytest.mark.parametrize("offset", [RECORDS, RECORDS + 2, 10**6])
def test_an_offset_without_a_committed_record_is_told(
    fetcher: RecordFetcher, partition: Partition, offset: int
) -> None:
    """The place of a control record, of an aborted one, and one after the end."""
    with pytest.raises(RecordsExpired, match=f"offset {offset}"):
        fetcher.fetch(partition, [5, offset], timeout_s=WAIT_S)


def test_a_range_is_read_with_what_is_wanted_of_it(fetcher: RecordFetcher, partition: Partition) -> None:
    found = fetcher.read(partition, 5, 30, keep=lambda record: record.key == b"7", timeout_s=WAIT_S)
    assert [record.offset for record in found] == [7, 17, 27]
    whole = fetcher.read(partition, None, RECORDS, keep=lambda _: True, timeout_s=WAIT_S)
    assert len(whole) == RECORDS


def test_a_range_that_ends_with_control_and_aborted_records_is_read_to_its_end(
    fetcher: RecordFetcher, partition: Partition, address: dict[str, str]
) -> None:
    end = KafkaAdmin(address).log_ends([partition], committed=False)[partition]
    found = fetcher.read(partition, RECORDS - 1, end, keep=lambda _: True, timeout_s=WAIT_S)
    assert [record.offset for record in found] == [RECORDS - 1, RECORDS + 1 + ABORTED + 1]
    assert fetcher.read(partition, end, end, keep=lambda _: True, timeout_s=WAIT_S) == []


def test_a_range_waits_for_an_open_transaction_and_not_for_ever(
    fetcher: RecordFetcher, partition: Partition, address: dict[str, str]
) -> None:
    producer = Producer({**address, "transactional.id": f"open-{uuid4().hex[:8]}"})
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    producer.produce(partition[0], key=b"late", value=b"late", partition=0)
    producer.flush(WAIT_S)
    end = KafkaAdmin(address).log_ends([partition], committed=False)[partition]
    began = time.monotonic()
    with pytest.raises(BrokerError, match=f"offset {end - 1}"):
        fetcher.read(partition, RECORDS, end, keep=lambda _: True, timeout_s=1.0)
    assert time.monotonic() - began < WAIT_S
    producer.commit_transaction(WAIT_S)
    found = fetcher.read(partition, RECORDS, end, keep=lambda record: record.key == b"late", timeout_s=WAIT_S)
    assert [record.value for record in found] == [b"late"]


def test_a_process_that_stops_waits_for_nothing(address: dict[str, str], partition: Partition) -> None:
    stopping = Event()
    stopping.set()
    with (
        RecordFetcher(address, "fetcher-test", stopping=stopping) as fetcher,
        pytest.raises(BrokerError, match="this process stops"),
    ):
        fetcher.fetch(partition, [5], timeout_s=WAIT_S)


def test_what_retention_has_removed_is_told_with_what_to_do(address: dict[str, str]) -> None:
    name = f"expired-{uuid4().hex[:8]}"
    spec = TopicSpec(name=name, owner="own", partitions=1, cleanup="delete", max_message_bytes=500_000)
    KafkaAdmin(address).create_topics([spec], replication=1)
    producer = Producer(address)
    for number in range(10):
        producer.produce(name, value=b"%d" % number, partition=0)
    producer.flush(WAIT_S)
    admin, place = AdminClient(address), TopicPartition(name, 0, 5)
    admin.delete_records([place])[place].result(WAIT_S)
    with RecordFetcher(address, "fetcher-test") as fetcher:
        with pytest.raises(RecordsExpired) as raised:
            fetcher.fetch((name, 0), [3, 7], timeout_s=WAIT_S)
        assert raised.value.code == "ORC-RECORDS-EXPIRED"
        assert "bos batches history" in raised.value.next_step
        with pytest.raises(RecordsExpired):
            fetcher.read((name, 0), 3, 10, keep=lambda _: True, timeout_s=WAIT_S)
        [record] = fetcher.fetch((name, 0), [7], timeout_s=WAIT_S)
        assert record.value == b"7"


def test_a_cluster_that_is_not_there_is_told() -> None:
    with (
        RecordFetcher({"bootstrap.servers": "127.0.0.1:1"}, "fetcher-test") as fetcher,
        pytest.raises(BrokerError),
    ):
        fetcher.fetch(("nowhere", 0), [1], timeout_s=1.0)
