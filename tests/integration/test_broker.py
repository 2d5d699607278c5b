"""The development broker is a real Kafka, keeps its data, and ends with its owner."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from cli.broker import BOOTSTRAP_VARIABLE, DevBroker, Kafka, kafka_from
from tests.integration.broker_clients import create_topic, read_committed
from tests.patience import PATIENCE_S

OWNER = """
import os, signal
from cli.broker import DevBroker
broker = DevBroker().start()
print(broker.nodes[0].pid, broker.nodes[0].directory.parent, flush=True)
signal.pause()
"""


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


def test_the_address_given_by_the_user_comes_first(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BOOTSTRAP_VARIABLE, kafka.bootstrap_servers)
    before = {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)}
    with kafka_from() as given:
        assert given.bootstrap_servers == kafka.bootstrap_servers
        assert {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)} <= before
