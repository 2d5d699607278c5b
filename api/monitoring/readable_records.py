"""Whether there is a record to read between two offsets, or only what readers are never given.

A transaction ends with a control record, and an aborted one holds nothing but refuse. No reader commits past them
until the next record, so that an idle topic of a transactional producer looks as if its reader were behind.
"""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from runtime.kafka.clients import client_properties

_LIMIT_S = 3.0
_POLL_S = 0.5


class ReadableRecordProbe:
    """Reads what lies between, with a consumer of its own; each gap once. For one thread."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._kafka = dict(kafka)
        self._consumer: Consumer | None = None
        self._empty: dict[tuple[str, int], tuple[int, int]] = {}

    def readable(self, place: tuple[str, int], start: int, end: int) -> bool:
        """Whether `place` (topic, partition) has a committed record from `start` on and before `end`.

        True also where that cannot be found out in time.
        """
        known = self._empty.get(place)
        if known is not None and known[0] <= start and end <= known[1]:
            return False
        found = self._look(place, start, end)
        if not found:
            self._empty[place] = (start, end)
        return found

    def close(self) -> None:
        """Close the consumer, where one was needed."""
        if self._consumer is not None:
            self._consumer.close()

    def _look(self, place: tuple[str, int], start: int, end: int) -> bool:
        consumer = self._opened()
        consumer.assign([TopicPartition(place[0], place[1], start)])
        until = time.monotonic() + _LIMIT_S
        try:
            while time.monotonic() < until:
                message = consumer.poll(_POLL_S)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    return bool(message.offset() < end)
                if error.code() == KafkaError._PARTITION_EOF and message.offset() >= end:  # noqa: SLF001
                    return False
            return True
        finally:
            consumer.unassign()

    def _opened(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    **client_properties(self._kafka),
                    "group.id": "batch-orchestrator-api-gaps",  # named because it must be; never joined
                    "enable.auto.commit": False,
                    "isolation.level": "read_committed",
                    "auto.offset.reset": "earliest",
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 50,
                    "queued.max.messages.kbytes": 1_024,
                }
            )
        return self._consumer
