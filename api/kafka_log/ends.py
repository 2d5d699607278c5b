"""End offsets of partitions: the api reads up to them before it answers that something does not exist."""

from typing import Protocol

from api.kafka_log.kafka_log import LogPartition
from runtime.kafka.admin import KafkaAdmin
from schemas.topics import TopicTable


class EndOffsets(Protocol):
    """Returns the end offsets of partitions."""

    async def end(self, partition: LogPartition, timeout_s: float) -> int:
        """Return the offset after the last record, in an open transaction or not. Raises `BrokerError`."""


class KafkaEnds:
    """End offsets on a Kafka cluster.

    Records of open transactions count: when a transaction commits, its records become readable in one partition before
    another, so an earlier answer can depend on a record that this partition does not show yet.
    """

    def __init__(self, cluster: KafkaAdmin, topics: TopicTable) -> None:
        self._cluster = cluster
        self._topics = topics

    async def end(self, partition: LogPartition, timeout_s: float) -> int:
        """Return the high watermark of `partition`."""
        return await self._cluster.log_end((self._topics.name(partition.topic), partition.number), timeout_s=timeout_s)
