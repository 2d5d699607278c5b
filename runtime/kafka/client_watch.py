"""Checks every few seconds that a Kafka client gets answers from its cluster, by requests on that very client.

Statistics prove nothing: a client without any broker emits them too. The check passes if a broker returns cluster
metadata and, for a consumer, if the leaders of its partitions answer: a client can reach one broker and have lost
another for ever.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Any, Protocol

from confluent_kafka import KafkaException

from runtime.kafka.statistics import assigned_partitions

ASK_EVERY_S = 2.0
ASK_TIMEOUT_S = 2.0
_OWED_US = 10_000_000
"""Microseconds after which a broker with an unanswered request counts as not answering."""


class AskableClient(Protocol):
    """The method that consumer, producer and admin client share."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """Return cluster metadata, or raise `KafkaException`."""


class Connections:
    """Which leaders of its partitions answer a consumer, from its statistics. Thread-safe."""

    def __init__(self) -> None:
        self._answering: frozenset[int] = frozenset()
        self._assigned: Mapping[tuple[str, int], int] = {}

    def on_statistics(self, statistics: str) -> None:
        """Take in a client's statistics."""
        parsed = json.loads(statistics)
        self._answering = frozenset(
            int(broker["nodeid"]) for broker in parsed.get("brokers", {}).values() if _answers(broker)
        )
        self._assigned = {at: int(partition.get("leader", -1)) for at, partition in assigned_partitions(parsed).items()}

    def to_ask(self) -> Sequence[str]:
        """Return the topics to request: those that seem cut off, otherwise any one; empty if none is read."""
        suspects = {topic for (topic, _), leader in self._assigned.items() if leader not in self._answering}
        return sorted(suspects) or sorted({topic for topic, _ in self._assigned})[:1]

    def cut_off(self, metadata: Any) -> list[tuple[str, int]]:
        """Return the partitions whose leader is alive by fresh `metadata`, but does not answer this client.

        Partitions without a living leader are left out: a new client could not read them either.
        """
        alive = set(metadata.brokers)
        found = []
        for (topic, number), known_leader in self._assigned.items():
            described = metadata.topics.get(topic)
            partition = described.partitions.get(number) if described is not None else None
            if partition is None or partition.leader not in alive:
                continue
            if known_leader != partition.leader or partition.leader not in self._answering:
                found.append((topic, number))
        return found


def _answers(broker: Mapping[str, Any]) -> bool:
    owes = broker.get("waitresp_cnt", 0) > 0 and broker.get("rxidle", 0) > _OWED_US
    return broker.get("nodeid", -1) >= 0 and broker.get("state") == "UP" and not owes


def heard(
    client: AskableClient,
    connections: Connections | None = None,
    *,
    topic: str | None = None,
    timeout_s: float = ASK_TIMEOUT_S,
) -> bool:
    """Request metadata on `client`, and return whether it got an answer.

    The request names single topics if any is known, because a cluster can have thousands: those that `connections`
    selects, otherwise `topic`.
    """
    topics = (connections.to_ask() if connections is not None else ()) or (topic,)
    try:
        found = [client.list_topics(each, timeout=timeout_s) for each in topics]
    except KafkaException:
        return False
    return connections is None or not any(connections.cut_off(metadata) for metadata in found)


class ClientWatch:
    """Checks one client in its own thread, and calls `on_answer` after each answer.

    `client` returns the client, or None before it exists. `stop` returns when no request is in progress; only then may
    the client be closed.
    """

    def __init__(
        self,
        client: Callable[[], AskableClient | None],
        on_answer: Callable[[], None],
        *,
        connections: Connections | None = None,
        every_s: float = ASK_EVERY_S,
    ) -> None:
        self._client = client
        self._on_answer = on_answer
        self._connections = connections
        self._topic: str | None = None
        self._every_s = every_s
        self._stopping = Event()
        self._thread = Thread(target=self._ask, name="client-watch", daemon=True)

    def start(self, topic: str) -> None:
        """Begin to check; requests are about `topic` if nothing else is known."""
        self._topic = topic
        self._thread.start()

    def stop(self) -> None:
        """Stop checking; returns when no request is in progress, after about `ASK_TIMEOUT_S` at most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(ASK_TIMEOUT_S + 1.0)

    def _ask(self) -> None:
        while not self._stopping.is_set():
            client = self._client()
            if client is None or heard(client, self._connections, topic=self._topic):
                self._on_answer()
            self._stopping.wait(self._every_s)
