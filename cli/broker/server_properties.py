"""The server properties and ports of a development cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.supervision.ports import free_port

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Address:
    """Ports on which one node listens on loopback: for clients and for the other controllers."""

    node_id: int
    port: int
    controller_port: int


def choose_addresses(brokers: int, first_port: int | None = None) -> tuple[Address, ...]:
    """Return free ports for `brokers` nodes; clients' ports start at `first_port`, if it is given."""
    count = brokers if first_port is not None else 2 * brokers
    free = [free_port() for _ in range(count)]
    given = free[brokers:] if first_port is None else range(first_port, first_port + brokers)
    return tuple(Address(index + 1, given[index], free[index]) for index in range(brokers))


def server_properties(address: Address, cluster: Sequence[Address], *, data: str, overrides: Mapping[str, str]) -> str:
    """Return the text of one node's server.properties. `overrides` win over the properties set here."""
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
        # Peers publish to topics that the product does not know, and hang for minutes if these do not exist. The
        # product's own clients never request automatic creation (runtime.settings, `kafka`).
        "auto.create.topics.enable": "true",
        "num.partitions": "3",
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
        # After a week without use, a development cluster must still have its offsets.
        "offsets.retention.minutes": "2147483647",
        # Tests and demos join and leave groups often.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A killed broker can rejoin when its old session has expired.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        # Room for the largest record of 16 MiB, with its headers and batch.
        "message.max.bytes": str(20 * _MEBIBYTE),
        "replica.fetch.max.bytes": str(20 * _MEBIBYTE),
        # The log cleaner allocates this at the start; the heap is small.
        "log.cleaner.dedupe.buffer.size": str(16 * _MEBIBYTE),
        **overrides,
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())


def _escaped(value: str) -> str:
    """Return a value so that Java's Properties read it back: escaped by code unit where it is not plain ASCII."""
    utf_16 = value.encode("utf-16-be")
    units = [int.from_bytes(utf_16[index : index + 2], "big") for index in range(0, len(utf_16), 2)]
    plain = "".join(chr(unit) if 0x20 < unit < 0x7F and unit != 0x5C else f"\\u{unit:04x}" for unit in units)
    return plain.replace("\\u0020", " ") if value == value.strip() else plain
