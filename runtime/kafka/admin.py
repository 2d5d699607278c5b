"""What the product asks a Kafka cluster about itself, beside reading and writing records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from schemas.errors import BrokerError, TopicError

REQUEST_TIMEOUT_S = 15.0
"""Patience with one request to the cluster."""

Partition = tuple[str, int]
"""A topic's real name and a partition number."""


class ClusterFacts(Protocol):
    """Facts about a cluster. Every method raises `BrokerError` where the cluster does not answer."""

    def cluster_id(self) -> str:
        """Return the id that the cluster was formatted with."""

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic: another one after it was deleted and created again."""

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic; topics that are not there are left out."""

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has; topics that are not there are left out."""

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the offset of the first record that is still there; the end where there is none."""

    def max_message_bytes(self, topics: Sequence[str]) -> dict[str, int]:
        """Return the largest record batch that each topic takes, in bytes."""

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        """Return the offset after the last record: of all records, or of those that are committed or aborted."""


class KafkaAdmin:
    """A `ClusterFacts` asked through an admin client."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._admin = AdminClient({**kafka, "client.id": "batch-orchestrator-admin"})

    def cluster_id(self) -> str:
        """Return the id that the cluster was formatted with."""
        return str(self._answer(self._admin.describe_cluster(request_timeout=REQUEST_TIMEOUT_S)).cluster_id)

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic."""
        described = self._admin.describe_topics(TopicCollection([topic]), request_timeout=REQUEST_TIMEOUT_S)
        return str(self._answer(described[topic], topic).topic_id)

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic that is there."""
        names = list(topics)
        if not names:
            return {}
        described = self._admin.describe_topics(TopicCollection(names), request_timeout=REQUEST_TIMEOUT_S)
        found = {}
        for name, future in described.items():
            try:
                found[name] = str(future.result().topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._broker_unreachable(error) from error
        return found

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has."""
        try:
            known = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        except KafkaException as error:
            raise self._broker_unreachable(error) from error
        return {topic: len(known[topic].partitions) for topic in topics if topic in known}

    def max_message_bytes(self, topics: Sequence[str]) -> dict[str, int]:
        """Return the largest record batch that each topic takes."""
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        configs = self._admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
        return {
            resource.name: int(self._answer(future, resource.name)["max.message.bytes"].value)
            for resource, future in configs.items()
        }

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the offset of the first record of each partition."""
        earliest = {TopicPartition(topic, partition): OffsetSpec.earliest() for topic, partition in partitions}
        found = self._admin.list_offsets(earliest, request_timeout=REQUEST_TIMEOUT_S)
        return {(at.topic, at.partition): int(self._answer(future, at.topic).offset) for at, future in found.items()}

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        """Return the offset after the last record of each partition."""
        latest = {TopicPartition(topic, partition): OffsetSpec.latest() for topic, partition in partitions}
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        found = self._admin.list_offsets(latest, isolation_level=isolation, request_timeout=REQUEST_TIMEOUT_S)
        return {(at.topic, at.partition): int(self._answer(future, at.topic).offset) for at, future in found.items()}

    def _answer(self, future: Any, topic: str = "") -> Any:
        try:
            return future.result()
        except KafkaException as error:
            if topic and not error.args[0].retriable() and error.args[0].code() > 0:
                raise TopicError(
                    f"Kafka cannot describe topic {topic}: {error.args[0].str()}.",
                    next_step="Run `bos topics plan` to see what is missing, and `bos topics apply` to create it.",
                ) from error
            raise self._broker_unreachable(error) from error

    def _broker_unreachable(self, error: KafkaException) -> BrokerError:
        return BrokerError(
            f"The Kafka cluster at {self._address} does not answer: {error.args[0].str()}.",
            next_step="Check BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS, and that the brokers run.",
        )
