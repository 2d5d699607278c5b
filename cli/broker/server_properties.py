"""The server properties of a development cluster, and its ports."""

import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_MEBIBYTE = 1024 * 1024
# Below the ranges that systems take for outgoing connections: a client that calls a stopped broker's port again and
# again would in the end be given that very port for its own side, and connect to itself.
_PORTS = range(18_000, 32_000)
_TRIES = 200


@dataclass(frozen=True)
class Address:
    """Where one node listens on loopback: for clients and for the other controllers."""

    node_id: int
    port: int
    controller_port: int


def choose_addresses(brokers: int, first_port: int | None = None) -> tuple[Address, ...]:
    """Free ports for `brokers` nodes; clients' ports are `first_port` and those after it, where one is given."""
    count = brokers if first_port is not None else 2 * brokers
    free = _free_ports(count)
    given = free[brokers:] if first_port is None else range(first_port, first_port + brokers)
    return tuple(Address(index + 1, given[index], free[index]) for index in range(brokers))


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, _TRIES):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports found in {_PORTS.start} to {_PORTS.stop}")


def server_properties(address: Address, cluster: Sequence[Address], *, data: str, overrides: Mapping[str, str]) -> str:
    """The text of one node's server.properties. `overrides` win over what is set here."""
    replicas = str(min(3, len(cluster)))
    in_sync = str(min(2, len(cluster)))
    properties = {
        "process.roles": "broker,controller",
        "node.id": str(address.node_id),
        "controller.quorum.voters": ",".join(f"{node.node_id}@127.0.0.1:{node.controller_port}" for node in cluster),
        "listeners": f"PLAINTEXT://127.0.0.1:{address.port},CONTROLLER://127.0.0.1:{address.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{address.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        # Transactions never start when these ask for more replicas than there are brokers.
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Few partitions: each costs files and time at the first start.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "1",
        # A development cluster that was not used for a week is to go on where it was.
        "offsets.retention.minutes": "2147483647",
        # Tests and demos join and leave often.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A killed broker is let in again when its old session has expired.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        # Room for the largest record of 16 MiB, with its headers and batch.
        "message.max.bytes": str(20 * _MEBIBYTE),
        "replica.fetch.max.bytes": str(20 * _MEBIBYTE),
        # The cleaner takes this at the start, from a small heap.
        "log.cleaner.dedupe.buffer.size": str(16 * _MEBIBYTE),
        **overrides,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())
