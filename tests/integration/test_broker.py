"""The development broker is a real Kafka, keeps its data, and ends with its owner."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from cli.broker import BOOTSTRAP_VARIABLE, DevBroker, Kafka, kafka_from
from cli.broker.keeping import kept_running
from schemas.errors import BrokerError
from tests.patience import PATIENCE_S, await_that

OWNER = """
import os, signal
from cli.broker import DevBroker
broker = DevBroker().start()
print(broker.nodes[0].pid, broker.nodes[0].directory.parent, flush=True)
signal.pause()
"""
OWNER_ON_DATA = """
import signal, sys
from pathlib import Path
from cli.broker import DevBroker
broker = DevBroker(data_dir=Path(sys.argv[1])).start()
print(broker.nodes[0].pid, flush=True)
signal.pause()
"""


def create_topic(bootstrap_servers: str, *, replicas: int = 1) -> str:
    name = f"test-broker-{uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=replicas)])[name].result(PATIENCE_S)
    return name


def produce(bootstrap_servers: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(PATIENCE_S) == 0


def read_committed(bootstrap_servers: str, topic: str, count: int) -> list[bytes | None]:
    """All committed values of the topic's only partition, as soon as there are `count`."""
    config = {"group.id": str(uuid4()), "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, **config})
    values: list[bytes | None] = []
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])

        def at_the_end() -> bool:
            message = consumer.poll(1)
            if message is None:
                return False
            error = message.error()
            if error is None:
                values.append(message.value())
            return error is not None and error.code() == KafkaError._PARTITION_EOF and len(values) >= count

        await_that(at_the_end, f"{topic} has {count} committed values")
        return values
    finally:
        consumer.close()


def transaction(bootstrap_servers: str, topic: str, value: bytes) -> Producer:
    """A producer with an open transaction that holds `value`."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": str(uuid4())})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, value)
    assert producer.flush(PATIENCE_S) == 0
    return producer


def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(kafka: Kafka) -> None:
    topic = create_topic(kafka.bootstrap_servers)
    transaction(kafka.bootstrap_servers, topic, b"aborted").abort_transaction(PATIENCE_S)
    transaction(kafka.bootstrap_servers, topic, b"committed").commit_transaction(PATIENCE_S)

    assert read_committed(kafka.bootstrap_servers, topic, 1) == [b"committed"]


def test_a_record_of_sixteen_mebibytes_is_taken(kafka: Kafka) -> None:
    topic = create_topic(kafka.bootstrap_servers)
    size = 16 * 1024 * 1024
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.max.bytes": size + 4096})
    failures: list[object] = []
    producer.produce(topic, bytes(size), on_delivery=lambda error, _: failures.append(error))

    assert producer.flush(PATIENCE_S) == 0
    assert failures == [None]


def test_data_survives_a_restart_and_a_crash(tmp_path: Path) -> None:
    with DevBroker(data_dir=tmp_path) as broker:
        address = broker.bootstrap_servers
        topic = create_topic(address)
        produce(address, topic, b"before the restart")
        broker.restart()
        produce(address, topic, b"before the crash")
        broker.kill()
        broker.start()
        assert broker.bootstrap_servers == address
        assert read_committed(address, topic, 2) == [b"before the restart", b"before the crash"]

    with DevBroker(data_dir=tmp_path) as again:
        assert read_committed(again.bootstrap_servers, topic, 2) == [b"before the restart", b"before the crash"]


def test_a_paused_broker_answers_nothing_until_it_is_resumed() -> None:
    with DevBroker() as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        broker.pause()
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=2)
        broker.resume()
        assert len(admin.list_topics(timeout=PATIENCE_S).brokers) == 1


def test_three_brokers_keep_the_data_when_one_is_killed() -> None:
    with DevBroker(brokers=3) as cluster:
        topic = create_topic(cluster.bootstrap_servers, replicas=3)
        transaction(cluster.bootstrap_servers, topic, b"kept").commit_transaction(PATIENCE_S)
        cluster.nodes[0].kill()
        assert read_committed(cluster.bootstrap_servers, topic, 1) == [b"kept"]
        cluster.start()
        assert cluster.nodes[0].running


def test_the_broker_and_its_temporary_data_go_when_the_owner_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, directory = owner.stdout.readline().split()
        java = psutil.Process(int(pid))
        keeper = java.parent()
        assert keeper is not None
        assert java.is_running()
        owner.kill()

    _, alive = psutil.wait_procs([java, keeper], timeout=PATIENCE_S)
    assert alive == []
    assert not Path(directory).exists()


def test_the_command_stops_its_broker_on_sigterm_and_exits_with_zero() -> None:
    command = [sys.executable, "-m", "cli.main", "broker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready, export = process.stdout.readline(), process.stdout.readline()
        address = export.rpartition("=")[2].strip()
        assert address in ready
        started = psutil.Process(process.pid).children(recursive=True)
        assert "java" in {Path(child.exe()).name for child in started}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0

    _, alive = psutil.wait_procs(started, timeout=PATIENCE_S)
    assert alive == []


@pytest.fixture
def cluster_on() -> Iterator[Callable[..., DevBroker]]:
    """Makes a development cluster on a data directory; it is stopped with the test, whatever became of it."""
    with ExitStack() as made:

        def make(data_dir: Path, **options: Any) -> DevBroker:
            broker = DevBroker(data_dir=data_dir, **options)
            made.callback(broker.stop)
            return broker

        yield make


def refused(broker: DevBroker, match: str) -> BrokerError:
    with pytest.raises(BrokerError, match=match) as raised:
        broker.start()
    assert raised.value.code == "ORC-BROKER"
    return raised.value


def test_a_broker_that_cannot_start_says_why_and_quotes_its_log(
    tmp_path: Path, cluster_on: Callable[..., DevBroker]
) -> None:
    error = refused(cluster_on(tmp_path, settings={"log.retention.ms": "never"}), r"log\.retention\.ms")
    assert str(tmp_path) in error.next_step


def test_a_taken_port_is_told(kafka: Kafka, tmp_path: Path, cluster_on: Callable[..., DevBroker]) -> None:
    taken = int(kafka.bootstrap_servers.split(",", maxsplit=1)[0].rpartition(":")[2])
    refused(cluster_on(tmp_path, port=taken), "Address already in use")


def test_a_data_directory_in_use_is_told_before_anything_is_written(
    tmp_path: Path, cluster_on: Callable[..., DevBroker]
) -> None:
    first = cluster_on(tmp_path).start()
    properties = tmp_path / "node-1" / "server.properties"
    before = properties.read_text(), properties.stat().st_mtime_ns
    error = refused(cluster_on(tmp_path), f"{tmp_path} is used by process {os.getpid()}")
    assert "another data directory" in error.next_step
    assert (properties.read_text(), properties.stat().st_mtime_ns) == before
    assert first.nodes[0].running
    first.kill()
    refused(cluster_on(tmp_path), "is used by process")  # it may be started again, and its data is its own until then
    first.stop()
    cluster_on(tmp_path).start()


def test_a_broker_that_outlives_its_owner_keeps_its_data_directory(
    tmp_path: Path, cluster_on: Callable[..., DevBroker]
) -> None:
    command = [sys.executable, "-c", OWNER_ON_DATA, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        java = psutil.Process(int(owner.stdout.readline()))
        keeper = java.parent()
        assert keeper is not None
        keeper.suspend()  # so that it cannot end its command with the owner
        owner.kill()
    try:
        refused(cluster_on(tmp_path), f"process {java.pid}, which was left behind by process {owner.pid}")
    finally:
        keeper.resume()
    _, alive = psutil.wait_procs([java, keeper], timeout=PATIENCE_S)
    assert alive == []
    cluster_on(tmp_path).start()


def test_a_failed_start_leaves_the_data_directory_to_the_next(
    tmp_path: Path, cluster_on: Callable[..., DevBroker]
) -> None:
    refused(cluster_on(tmp_path, settings={"log.retention.ms": "never"}), r"log\.retention\.ms")
    cluster_on(tmp_path).start()


def test_a_data_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    refused(DevBroker(data_dir=tmp_path / "file" / "data"), "cannot be written: Not a directory")


def test_data_of_another_number_of_brokers_is_refused(tmp_path: Path) -> None:
    for node in (1, 2, 3):
        (tmp_path / f"node-{node}").mkdir()
    for _ in range(2):
        refused(DevBroker(data_dir=tmp_path), "3 broker")


def test_the_address_given_by_the_user_comes_first(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BOOTSTRAP_VARIABLE, kafka.bootstrap_servers)
    before = {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)}
    with kafka_from() as given:
        assert given.bootstrap_servers == kafka.bootstrap_servers
        assert {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)} <= before


def test_a_broker_that_ends_while_it_is_kept_running_is_started_again_on_its_data(tmp_path: Path) -> None:
    events: list[str] = []
    with DevBroker(data_dir=tmp_path) as broker, kept_running(broker, events.append):
        address, first = broker.bootstrap_servers, broker.nodes[0].pid
        topic = create_topic(address)
        produce(address, topic, b"before the crash")
        os.kill(first, signal.SIGKILL)
        await_that(lambda: broker.nodes[0].pid not in {0, first}, "another one runs")
        assert read_committed(address, topic, 1) == [b"before the crash"]
        second = broker.nodes[0].pid
    assert not psutil.pid_exists(second)
    assert events == ["Kafka has ended; starting it again"]
