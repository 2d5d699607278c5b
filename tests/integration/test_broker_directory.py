"""A broker's data directory: what stays in it, and who may use it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.broker import DevBroker, Kafka
from cli.broker.keeping import kept_running
from schemas.errors import BrokerError
from tests.integration.broker_clients import create_topic, produce, read_committed
from tests.patience import PATIENCE_S, await_that

OWNER_ON_DATA = """
import signal, sys
from pathlib import Path
from cli.broker import DevBroker
broker = DevBroker(data_dir=Path(sys.argv[1])).start()
print(broker.nodes[0].pid, flush=True)
signal.pause()
"""


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


def test_a_broker_that_cannot_start_quotes_its_log_and_leaves_the_data_directory_to_the_next(
    tmp_path: Path, cluster_on: Callable[..., DevBroker]
) -> None:
    error = refused(cluster_on(tmp_path, settings={"log.retention.ms": "never"}), r"log\.retention\.ms")
    assert str(tmp_path) in error.next_step
    cluster_on(tmp_path).start()


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


def test_a_data_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    refused(DevBroker(data_dir=tmp_path / "file" / "data"), "cannot be written: Not a directory")


def test_data_of_another_number_of_brokers_is_refused(tmp_path: Path) -> None:
    for node in (1, 2, 3):
        (tmp_path / f"node-{node}").mkdir()
    for _ in range(2):
        refused(DevBroker(data_dir=tmp_path), "3 broker")


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
