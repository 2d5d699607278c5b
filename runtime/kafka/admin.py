"""Administration of a Kafka cluster: ids, partitions, settings and offsets of topics, and their creation."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import ConfigResource, NewTopic, OffsetSpec, ResourceType

from runtime.kafka.errors import LEADER_MOVES, kafka_failure
from runtime.kafka.shared_client import REQUEST_TIMEOUT_S, shared_client
from schemas.errors import BrokerError, TopicError
from schemas.topics import TopicSpec

CREATE_TIMEOUT_S = 15.0
"""Seconds that the creation of topics may take."""

Partition = tuple[str, int]
"""A topic's real name and a partition number."""

_NO_ANSWER = {
    KafkaError._TIMED_OUT,  # noqa: SLF001 - the library's public names for local errors
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError.REQUEST_TIMED_OUT,
}
_RETRY_S = 0.1
_Answer = TypeVar("_Answer")


class ClusterFacts(Protocol):
    """Facts about a cluster. Every method raises `BrokerError` if the cluster does not answer."""

    def cluster_id(self) -> str:
        """Return the id that the cluster was formatted with."""

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic; it changes when the topic is deleted and created again."""

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic; missing topics are left out."""

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has; missing topics are left out."""

    def replica_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the replicas of each topic's partition that has the fewest; missing topics are left out."""

    def topic_configs(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the settings of each topic, by the names that Kafka gives them."""

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the offset of the first record that retention has kept; the end offset if there is none."""

    def max_message_bytes(self, topics: Sequence[str]) -> dict[str, int]:
        """Return the largest record batch that each topic accepts, in bytes."""

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        """Return the offset after the last record: of all records, or of those that are committed or aborted."""


class KafkaAdmin:
    """`ClusterFacts` through an admin client; objects for the same cluster share one client.

    After an unanswered request the client is replaced: librdkafka can lose its brokers for ever while they freeze, and
    only a new client reconnects.

    Methods raise `BrokerError` if the cluster does not answer, and `TopicError` if it refuses a request about a topic.
    They may be called from any thread. `client` is an admin client to use instead of the shared one.
    """

    def __init__(self, kafka: Mapping[str, Any], client: Any = None) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._given = client
        self._shared = shared_client(kafka)

    @property
    def _admin(self) -> Any:
        return self._shared.client if self._given is None else self._given

    def require_reachable(self, within_s: float) -> None:
        """Raise `BrokerError` if no broker answers within `within_s` seconds."""
        try:
            self._admin.list_topics(timeout=within_s)
        except KafkaException as error:
            raise BrokerError(
                f"No Kafka broker answers at {self._address} within {within_s:g} s: {error.args[0].str()}.",
                next_step="Check BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS, the security settings, and that "
                "the brokers run.",
            ) from error

    def cluster_id(self) -> str:
        """Return the id that the cluster was formatted with."""
        ask = self._admin.describe_cluster
        return str(self._answer(lambda: ask(request_timeout=REQUEST_TIMEOUT_S).result(), "its id").cluster_id)

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic."""

        def ask() -> Any:
            asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=REQUEST_TIMEOUT_S)
            return asked[topic].result()

        return str(self._answer(ask, f"the description of topic {topic}", topic).topic_id)

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic; missing topics are left out."""
        names = sorted(set(topics))

        def ask() -> dict[str, str]:
            asked = self._admin.describe_topics(TopicCollection(names), request_timeout=REQUEST_TIMEOUT_S)
            found = {name: _unless_missing(future) for name, future in asked.items()}
            return {name: str(described.topic_id) for name, described in found.items() if described is not None}

        return self._answer(ask, f"the descriptions of {_named(names)}") if names else {}

    def partition_counts(self, topics: Iterable[str], *, timeout_s: float = REQUEST_TIMEOUT_S) -> dict[str, int]:
        """Return how many partitions each topic has; missing topics are left out."""
        listed = self._answer(lambda: self._admin.list_topics(timeout=timeout_s), "the list of its topics")
        return {topic: len(listed.topics[topic].partitions) for topic in topics if topic in listed.topics}

    def replica_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the replicas of each topic's partition that has the fewest; missing topics are left out."""
        listed = self._answer(lambda: self._admin.list_topics(timeout=REQUEST_TIMEOUT_S), "the list of its topics")
        return {
            topic: min(len(one.replicas) for one in listed.topics[topic].partitions.values())
            for topic in topics
            if topic in listed.topics
        }

    def default_replicas(self) -> int | None:
        """Return the default number of replicas of a topic; None if this client may not read it."""

        def ask() -> int:
            # A broker that has just started can answer before it knows itself.
            known = list(self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).brokers)
            if not known:
                raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
            return int(known[0])

        broker = ConfigResource(ResourceType.BROKER, str(self._answer(ask, "the list of its brokers")))
        try:
            config = self._admin.describe_configs([broker], request_timeout=REQUEST_TIMEOUT_S)[broker].result()
        except KafkaException:
            return None
        return int(config["default.replication.factor"].value)

    def topic_configs(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the settings of each topic, by the names that Kafka gives them."""
        if not topics:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]

        def ask() -> dict[str, dict[str, str]]:
            asked = self._admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
            return {
                resource.name: {name: entry.value for name, entry in future.result().items()}
                for resource, future in asked.items()
            }

        return self._answer(ask, f"the settings of {_named(topics)}", _named(topics))

    def max_message_bytes(self, topics: Sequence[str]) -> dict[str, int]:
        """Return the largest record batch that each topic accepts, in bytes."""
        return {topic: int(config["max.message.bytes"]) for topic, config in self.topic_configs(topics).items()}

    def create_topics(
        self, specs: Sequence[TopicSpec], *, replication: int, own: Mapping[str, str] | None = None
    ) -> None:
        """Create topics as they are specified, own ones with the settings `own` too.

        A topic that exists already is not changed. A `replication` of -1 means the cluster's default.
        """
        new = [
            NewTopic(
                spec.name,
                num_partitions=spec.partitions,
                replication_factor=replication,
                config=spec.config() | spec.durability() | (dict(own or {}) if spec.owner == "own" else {}),
            )
            for spec in specs
        ]
        for name, future in self._admin.create_topics(new, request_timeout=CREATE_TIMEOUT_S).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() in _NO_ANSWER:
                    raise self._failure(error, f"the creation of topic {name}") from error
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise TopicError(
                        f"Topic {name} cannot be created: {error.args[0].str()}.",
                        next_step="Check the rights of this client and TOPIC_REPLICATION, or have the topic created "
                        "as `bos topics plan` shows it.",
                    ) from error

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the first offset of each partition that retention has left."""
        return self._offsets(partitions, OffsetSpec.earliest())

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        """Return the offset after the last record: of all records, or of those that are committed or aborted."""
        return self._offsets(partitions, OffsetSpec.latest(), committed=committed)

    def offsets_since(self, partitions: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        """Return the first offset of each partition with a timestamp of `time_ms` or later; -1 if there is none."""
        return self._offsets(partitions, OffsetSpec.for_timestamp(time_ms))

    async def log_end(self, partition: Partition, *, timeout_s: float) -> int:
        """Return the offset after the last record of one partition, committed or not, without holding a thread."""
        at = TopicPartition(*partition)
        deadline = time.monotonic() + timeout_s
        while True:
            asked = self._admin.list_offsets({at: OffsetSpec.latest()}, request_timeout=timeout_s)
            try:
                return int((await asyncio.wrap_future(asked[at])).offset)
            except KafkaException as error:
                if not _is_transient(error, deadline):
                    raise self._failure(error, f"the end of topic {at.topic}", at.topic) from error
            await asyncio.sleep(_RETRY_S)

    def _offsets(
        self, partitions: Sequence[Partition], spec: OffsetSpec, *, committed: bool = False
    ) -> dict[Partition, int]:
        if not partitions:
            return {}
        wanted = {TopicPartition(topic, number): spec for topic, number in partitions}
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED

        def ask() -> dict[Partition, int]:
            asked = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=REQUEST_TIMEOUT_S)
            return {(at.topic, at.partition): int(future.result().offset) for at, future in asked.items()}

        topics = _named(topic for topic, _ in partitions)
        return self._answer(ask, f"offsets of {topics}", topics)

    def _answer(self, ask: Callable[[], _Answer], asked: str, topic: str = "") -> _Answer:
        """Send a request, with retries while a partition gets another leader."""
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while True:
            try:
                return ask()
            except KafkaException as error:
                if not _is_transient(error, deadline):
                    raise self._failure(error, asked, topic) from error
            time.sleep(_RETRY_S)

    def _failure(self, error: KafkaException, asked: str, topic: str = "") -> Exception:
        failure = kafka_failure(error, address=self._address, asked=asked, topic=topic)
        if isinstance(failure, BrokerError):
            self._shared.renew()
        return failure


def _unless_missing(future: Any) -> Any:
    """Return the description of a topic; None if there is no such topic."""
    try:
        return future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def _is_transient(error: KafkaException, deadline: float) -> bool:
    """Return whether a partition is just getting another leader, and there is time for a retry."""
    return error.args[0].code() in LEADER_MOVES and time.monotonic() < deadline


def _named(topics: Iterable[str]) -> str:
    return ", ".join(sorted(set(topics)))
