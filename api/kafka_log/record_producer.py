"""The producer of records other than requests: replays, what was done with dead letters, operations, processes."""

from collections.abc import Mapping
from typing import Any, Protocol

from api.kafka_log.request_producer import KafkaRequestLog
from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import Topic, TopicTable


class RecordLog(Protocol):
    """Appends to the topic that a record names: of replays, dead letters, operations or processes."""

    async def append(self, record: OutgoingRecord) -> None:
        """Return when the record is durable.

        Raises `RecordTooLarge`, or `BrokerError` if the outcome is unknown: the record may have been written.
        """


class KafkaRecordLog:
    """A `RecordLog` on a Kafka cluster. Create it and use it on one event loop; it connects at the first record."""

    def __init__(
        self, kafka: Mapping[str, Any], topics: TopicTable, *, timeout_s: float, largest_bytes: int, silence_s: float
    ) -> None:
        self._kafka = kafka
        self._topics = topics
        self._timeout_s = timeout_s
        self._largest_bytes = largest_bytes
        self._silence_s = silence_s
        self._log: KafkaRequestLog | None = None

    async def append(self, record: OutgoingRecord) -> None:
        """Write one record and wait for its acknowledgement."""
        if self._log is None:
            self._log = KafkaRequestLog(
                self._kafka,
                self._topics.name(Topic.REPLAY),
                timeout_s=self._timeout_s,
                largest_bytes=self._largest_bytes,
                silence_s=self._silence_s,
            )
        await self._log.append_to(self._topics.name(record.topic), record.key, record.value, record.headers)

    async def close(self) -> None:
        """Stop. Records without an acknowledgement may or may not be written."""
        if self._log is not None:
            await self._log.close()
