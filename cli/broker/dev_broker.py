"""The development cluster: one Kafka node, or several, started and ended together."""

import shutil
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.broker.jars import provide_jars
from cli.broker.node import BrokerNode
from cli.broker.ready import await_ready
from cli.broker.server_properties import Address, choose_addresses, server_properties
from schemas.errors import BrokerError

_READY_SECONDS = 90.0
_PORT_ATTEMPTS = 3


class DevBroker:
    """Apache Kafka on loopback, as a context manager.

    Data is in `data_dir` and stays there for the next start; without one it is in a temporary folder that goes with
    this object (and stays, with its logs, after a failed start). The cluster ends with the process that started it,
    also when that one is killed. Ports are free ones unless `port` names the first broker's.
    """

    def __init__(
        self,
        *,
        brokers: int = 1,
        data_dir: Path | None = None,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        heap_megabytes: int = 768,
        cache: Path | None = None,
    ) -> None:
        self._count = brokers
        self._given_dir = data_dir
        self._port = port
        self._overrides = dict(settings or {})
        self._heap = heap_megabytes
        self._cache = cache
        self._addresses: tuple[Address, ...] = ()
        self.nodes: tuple[BrokerNode, ...] = ()
        """The brokers by their id, from 1; each can be stopped, killed, paused and started by itself."""

    @property
    def bootstrap_servers(self) -> str:
        """Host and port of every broker, with commas between them; the same over restarts."""
        return ",".join(f"127.0.0.1:{address.port}" for address in self._addresses)

    def start(self) -> Self:
        """Start all brokers on what their folders hold, and return when they serve.

        Raises:
            BrokerError: Kafka cannot be fetched, or does not come up; quotes the log.
        """
        if not self.nodes:
            self._lay_out()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            if not self._addresses:
                self._addresses = choose_addresses(self._count, self._port)
            try:
                self._start_nodes()
            except BrokerError as error:
                self._stop_nodes()
                lost_a_race = self._port is None and "Address already in use" in error.message
                if attempt == _PORT_ATTEMPTS or not lost_a_race:
                    raise
                self._addresses = ()
            else:
                break
        return self

    def stop(self) -> None:
        """Stop all brokers: in order where the data stays, at once where it goes."""
        if self._given_dir is not None:
            self._stop_nodes()
        elif self.nodes:
            self.kill()
            shutil.rmtree(self.nodes[0].directory.parent, ignore_errors=True)
            self.nodes = ()

    def kill(self) -> None:
        """End all brokers as a crash would; `start` brings them back on the same data and ports."""
        for node in self.nodes:
            node.kill()

    def pause(self) -> None:
        """Let no broker answer until `resume`."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Let paused brokers go on."""
        for node in self.nodes:
            node.resume()

    def restart(self) -> None:
        """Stop all brokers and start them again on the same data and ports."""
        self._stop_nodes()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _lay_out(self) -> None:
        jars = provide_jars(self._cache)
        if self._given_dir is not None and "," in str(self._given_dir.absolute()):
            raise BrokerError(
                f"Kafka cannot keep its data in {self._given_dir.absolute()}: a comma separates directories.",
                next_step="Give a data directory without a comma in its path.",
            )
        root = self._given_dir or Path(tempfile.mkdtemp(prefix="batch-orchestrator-kafka-"))
        there = len(list(root.glob("node-*")))
        if there not in {0, self._count}:
            raise BrokerError(
                f"{root} holds the data of {there} broker(s), not {self._count}.",
                next_step="Start with that number of brokers, or give another data directory.",
            )
        self.nodes = tuple(
            BrokerNode(
                node_id,
                (root / f"node-{node_id}").absolute(),
                jars=jars,
                heap_megabytes=self._heap,
                temporary=self._given_dir is None,
            )
            for node_id in range(1, self._count + 1)
        )

    def _start_nodes(self) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=").replace("-", "A")
        with ThreadPoolExecutor(self._count) as pool:
            list(pool.map(lambda node, address: self._prepare(node, address, cluster_id), self.nodes, self._addresses))
        for node in self.nodes:
            node.start()
        for node, address in zip(self.nodes, self._addresses, strict=True):
            self._await_node(node, address)

    def _await_node(self, node: BrokerNode, address: Address) -> None:
        """Wait until this very node knows all others.

        The others may still count with one that was killed, and a stranger's broker may hold its port.
        """
        if not await_ready(
            f"127.0.0.1:{address.port}",
            seconds=_READY_SECONDS,
            brokers=self._count,
            cluster_id=node.cluster_id(),
            alive=lambda: node.running,
        ):
            raise node.failure(f"does not serve after {_READY_SECONDS:.0f} s" if node.running else "ended at its start")

    def _prepare(self, node: BrokerNode, address: Address, cluster_id: str) -> None:
        data = str(node.directory / "data")
        node.prepare(cluster_id, server_properties(address, self._addresses, data=data, overrides=self._overrides))

    def _stop_nodes(self) -> None:
        with ThreadPoolExecutor(self._count) as pool:
            list(pool.map(lambda node: node.stop(), self.nodes))
