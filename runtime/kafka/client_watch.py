"""Asks a Kafka client, on that very client, for an answer of its cluster every few seconds.

That statistics arrive says nothing: a client without any broker makes them too. A good answer is one that a broker
gave: cluster metadata, and for a consumer also that the brokers which lead its partitions answer it. A client can reach
one broker and be without another for good.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Any, Protocol

from confluent_kafka import KafkaException

ASK_EVERY_S = 2.0
ASK_TIMEOUT_S = 2.0
_OWED_US = 10_000_000
"""Microseconds without any answer from which a broker that owes one does not count as answering."""


class AskableClient(Protocol):
    """What consumer, producer and admin client have in common."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """Return cluster metadata, or raise `KafkaException`."""


class Connections:
    """What a consumer's statistics say about the brokers that lead its partitions. For any thread."""

    def __init__(self) -> None:
        self._answering: frozenset[int] = frozenset()
        self._assigned: Mapping[tuple[str, int], int] = {}

    def on_statistics(self, statistics: str) -> None:
        """Take in a client's statistics."""
        parsed = json.loads(statistics)
        self._answering = frozenset(
            int(broker["nodeid"]) for broker in parsed.get("brokers", {}).values() if _answers(broker)
        )
        self._assigned = {
            (name, int(number)): int(partition.get("leader", -1))
            for name, topic in parsed.get("topics", {}).items()
            for number, partition in topic.get("partitions", {}).items()
            if int(number) >= 0 and partition.get("fetch_state") not in {"none", "stopping", "stopped"}
        }

    def to_ask(self) -> Sequence[str]:
        """Return the topics worth a question: those that seem cut off, else any; empty where nothing is read."""
        suspects = {topic for (topic, _), leader in self._assigned.items() if leader not in self._answering}
        return sorted(suspects) or sorted({topic for topic, _ in self._assigned})[:1]

    def cut_off(self, metadata: Any) -> list[tuple[str, int]]:
        """Return the partitions that this client should be reading, by fresh `metadata`, and cannot.

        Partitions without a living leader are nobody's fault here: a new client would not read them either.
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
    """Ask `client`; whether it got a good answer.

    Asked is about single topics where any is known, because a cluster can have thousands: those that `connections`
    wants to know of, else `topic`.
    """
    topics = (connections.to_ask() if connections is not None else ()) or (topic,)
    try:
        found = [client.list_topics(each, timeout=timeout_s) for each in topics]
    except KafkaException:
        return False
    return connections is None or not any(connections.cut_off(metadata) for metadata in found)


class ClientWatch:
    """Asks one client in a thread of its own, and calls `on_answer` for each good answer.

    `client` returns it, or None while it is not made yet. `stop` returns when no call is under way: only then may
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
        """Begin to ask; about `topic` where nothing else is known."""
        self._topic = topic
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; returns when no call is under way, after `ASK_TIMEOUT_S` at the most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(ASK_TIMEOUT_S + 1.0)

    def _ask(self) -> None:
        while not self._stopping.is_set():
            client = self._client()
            if client is None or heard(client, self._connections, topic=self._topic):
                self._on_answer()
            self._stopping.wait(self._every_s)
