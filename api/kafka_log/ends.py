"""Where partitions end right now: asked before an api says that something does not exist."""

import asyncio
from typing import Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from api.kafka_log.consumer import LogPartition, unreachable
from runtime.kafka.lasting_admin import LastingAdmin
from schemas.topics import TopicTable


class EndOffsets(Protocol):
    """Tells the ends of partitions."""

    async def end(self, partition: LogPartition, timeout_s: float) -> int:
        """Return the offset after the last record, in an open transaction or not. Raises `BrokerError`."""


class KafkaEnds:
    """The ends on a Kafka cluster.

    Open transactions count: what they have written becomes readable in one partition before it does in another, so
    an answer that has been given may rest on a record that this partition does not show yet.
    """

    def __init__(self, admin: AdminClient | LastingAdmin, topics: TopicTable) -> None:
        self._admin = admin
        self._topics = topics

    async def end(self, partition: LogPartition, timeout_s: float) -> int:
        """Return the high watermark of `partition`."""
        where = TopicPartition(self._topics.name(partition.topic), partition.number)
        asked = self._admin.list_offsets(
            {where: OffsetSpec.latest()},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=timeout_s,
        )
        try:
            found = await asyncio.wrap_future(asked[where])
        except KafkaException as error:
            raise unreachable(error) from error
        offset: int = found.offset
        return offset
