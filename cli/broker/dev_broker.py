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
from cli.supervision.ports import is_free
from runtime.directory_lock import DirectoryInUse, DirectoryLock
from schemas.errors import BrokerError

_READY_SECONDS = 180.0
_PORT_ATTEMPTS = 3


class DevBroker:
    """Apache Kafka on loopback, as a context manager.

    Data stays in `data_dir` for the next start; without one it is in a temporary folder that is deleted at the end (and
    kept, with its logs, after a failed start). The cluster ends with the process that started it, even if that is
    killed. Ports are free ones unless `port` names the first broker's. Only one cluster at a time uses a data
    directory: its lock is taken before anything is written, and held by the owner and by every broker.
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
        self._lock = None if data_dir is None else DirectoryLock(data_dir)
        self._addresses: tuple[Address, ...] = ()
        self.nodes: tuple[BrokerNode, ...] = ()
        """The brokers, ordered by id from 1; each can be stopped, killed, paused and started separately."""

    @property
    def bootstrap_servers(self) -> str:
        """Host and port of every broker, with commas between them; the same over restarts."""
        return ",".join(f"127.0.0.1:{address.port}" for address in self._addresses)

    def start(self) -> Self:
        """Start all brokers on the data in their folders, and return when they serve clients.

        Raises:
            BrokerError: Kafka cannot be fetched, or does not come up; quotes the log.
        """
        self._take_lock()
        try:
            self._start()
        except BaseException:
            self._stop_nodes()
            self._release_lock()
            raise
        return self

    def _start(self) -> None:
        if not self.nodes:
            self._lay_out()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            if not self._addresses:
                self._addresses = choose_addresses(self._count, self._port)
            try:
                self._start_nodes()
            except BrokerError as error:
                self._stop_nodes()
                lost_a_race = "Address already in use" in error.message and not self._is_taken()
                if attempt == _PORT_ATTEMPTS or not lost_a_race:
                    raise
                self._addresses = ()
            else:
                return

    def stop(self) -> None:
        """Stop all brokers: in order if the data is kept, by SIGKILL if it is deleted."""
        if self._given_dir is not None:
            try:
                self._stop_nodes()
            finally:
                self._release_lock()
        elif self.nodes:
            self.kill()
            shutil.rmtree(self.nodes[0].directory.parent, ignore_errors=True)
            self.nodes = ()

    def kill(self) -> None:
        """Kill all brokers; `start` starts them again on the same data and ports."""
        for node in self.nodes:
            node.kill()

    def pause(self) -> None:
        """Pause all brokers until `resume`."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Resume all paused brokers."""
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

    def _is_taken(self) -> bool:
        """Return whether another process uses a port that the user chose; other ports can be chosen again."""
        given = () if self._port is None else range(self._port, self._port + self._count)
        return not all(is_free(port) for port in given)

    def _start_nodes(self) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=").replace("-", "A")
        with ThreadPoolExecutor(self._count) as pool:
            list(pool.map(lambda node, address: self._prepare(node, address, cluster_id), self.nodes, self._addresses))
        for node in self.nodes:
            node.start(inherits=self._inherited)
        if self._lock is not None:
            self._lock.name_children(node.pid for node in self.nodes if node.pid)
        for node, address in zip(self.nodes, self._addresses, strict=True):
            self._await_node(node, address)

    def _await_node(self, node: BrokerNode, address: Address) -> None:
        """Wait until this node lists all brokers.

        Other nodes can still list a killed broker, and a broker of another cluster can use the port.
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
        properties = server_properties(address, self._addresses, data=data, overrides=self._overrides)
        node.prepare(cluster_id, properties, inherits=self._inherited)

    @property
    def _inherited(self) -> tuple[int, ...]:
        return () if self._lock is None else (self._lock.descriptor,)

    def _take_lock(self) -> None:
        if self._lock is None:
            return
        try:
            self._lock.acquire()
        except DirectoryInUse as error:
            raise BrokerError(
                f"The data directory {error.path} is used by {error.holder}.",
                next_step="End that process, or give another data directory.",
            ) from error
        except OSError as error:
            raise BrokerError(
                f"The data directory {self._given_dir} cannot be written: {error.strerror}.",
                next_step="Give a data directory that this user may write.",
            ) from error

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _stop_nodes(self) -> None:
        with ThreadPoolExecutor(self._count) as pool:
            list(pool.map(lambda node: node.stop(), self.nodes))
