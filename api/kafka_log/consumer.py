"""A consumer of the followed topics on a Kafka cluster: read committed, without a consumer group."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from api.kafka_log.kafka_log import FOLLOWED, LogPartition, LogRecord, shortly_before, start_of, topic_partitions
from runtime.health import STATISTICS_INTERVAL_MS
from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.client_watch import ASK_EVERY_S, ASK_TIMEOUT_S, Connections, heard
from runtime.kafka.clients import client_properties
from runtime.kafka.headers import headers_of
from schemas.errors import BrokerError, LivenessError, StateError, TopicError
from schemas.topics import Topic, TopicTable

_FETCH_WAIT_MS = 50
"""Milliseconds that a broker may hold an empty fetch; a read to the very end waits that long."""
_MOST_RECORDS = 500
_METADATA_TIMEOUT_S = 5.0


class KafkaLogConsumer:
    """A `KafkaLog` on a Kafka cluster.

    `cluster` answers questions about partitions and offsets; the default is a shared admin client. `on_statistics` is
    called with librdkafka's statistics in the thread that reads. `silence_s` is how many seconds the consumer may go
    without an answer from Kafka; None for no bound.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topics: TopicTable,
        largest_bytes: int,
        cluster: KafkaAdmin | None = None,
        *,
        on_statistics: Callable[[str], None] | None = None,
        silence_s: float | None = None,
    ) -> None:
        self._topics = topics
        self._cluster = KafkaAdmin(kafka) if cluster is None else cluster
        self._silence_s = silence_s
        self._connections = Connections()
        self._on_statistics = on_statistics
        self._asked_at = self._heard_at = time.monotonic()
        self._consumer = Consumer(
            client_properties(kafka)
            | {
                "group.id": "batch-orchestrator-api-tail",  # librdkafka requires a name; nothing is joined or committed
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "statistics.interval.ms": STATISTICS_INTERVAL_MS,
                "stats_cb": self._take_statistics,
                "fetch.wait.max.ms": _FETCH_WAIT_MS,
                "fetch.max.bytes": max(largest_bytes, 8_388_608),
                "queued.max.messages.kbytes": 65_536,
            }
        )
        self._positions: dict[LogPartition, int] = {}

    def _take_statistics(self, statistics: str) -> None:
        self._connections.on_statistics(statistics)
        if self._on_statistics is not None:
            self._on_statistics(statistics)

    def reach(self) -> None:
        """Raise `BrokerError` if the cluster does not answer, and `TopicError` if a topic is missing."""
        self._partition_counts()

    def start(self, offsets: Mapping[LogPartition, int] | None) -> dict[LogPartition, int]:
        """Assign every partition and return the end offsets. Raises what `reach` and `start_of` raise."""
        self._counts = self._partition_counts()
        places = {partition: self._place(partition) for partition in topic_partitions(self._counts)}
        lows = self._cluster.log_starts(list(places.values()))
        highs = self._cluster.log_ends(list(places.values()), committed=True)
        ends = {partition: highs[place] for partition, place in places.items()}
        for partition, place in places.items():
            low = lows[place]
            projected = shortly_before(ends[partition]) if offsets is None else offsets.get(partition, low)
            start = start_of(partition, projected, low, ends[partition])
            self._positions[partition] = start
        self._assign()
        return ends

    def resume(self, positions: Mapping[LogPartition, int]) -> None:
        """Assign every partition at its position. Raises what `reach` raises."""
        self._counts = self._partition_counts()
        self._positions = dict(positions)
        self._assign()

    def _assign(self) -> None:
        self._consumer.assign(
            [TopicPartition(self._topics.name(at.topic), at.number, offset) for at, offset in self._positions.items()]
        )
        self._heard_at = time.monotonic()

    def read(self, timeout_s: float) -> list[LogRecord]:
        """Return the records that have arrived. Raises `BrokerError` for an error that is final."""
        self._require_answers()
        # Polled one by one: `consume` counts the end of a partition as a record, so the position would be one too high.
        found: list[LogRecord] = []
        message = self._consumer.poll(timeout_s)
        while message is not None:
            record = self._record(message)
            if record is not None:
                found.append(record)
            message = self._consumer.poll(0) if len(found) < _MOST_RECORDS else None
        return found

    def positions(self) -> dict[LogPartition, int]:
        """Return the next offset of each partition; control records count as read."""
        for position in self._consumer.position(self._consumer.assignment()):
            if position.offset >= 0:
                self._advance(self._partition(position.topic, position.partition), position.offset)
        return dict(self._positions)

    def check(self) -> None:
        """Raise `StateError` if the number of partitions has changed: keys would map to other partitions."""
        counts = self._partition_counts(ASK_TIMEOUT_S)
        if counts != self._counts:
            raise StateError(
                f"The numbers of partitions have changed from {_shown(self._counts)} to {_shown(counts)}.",
                next_step="Start this process again once the topics are as the other processes expect them.",
            )

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _require_answers(self) -> None:
        now = time.monotonic()
        if self._silence_s is None or now - self._asked_at < ASK_EVERY_S:
            return
        if heard(self._consumer, self._connections, timeout_s=ASK_TIMEOUT_S / 2):
            self._heard_at = time.monotonic()
        elif now - self._heard_at > self._silence_s:
            raise LivenessError(
                f"The consumer of the Kafka log has had no answer from Kafka for {now - self._heard_at:.0f} s.",
                next_step="None: a new consumer replaces it. If it repeats, check the brokers and the network.",
            )
        self._asked_at = time.monotonic()

    def _record(self, message: Message) -> LogRecord | None:
        error = message.error()
        if error is None:
            partition = self._partition(message.topic(), message.partition())
            self._advance(partition, message.offset() + 1)
            return LogRecord(
                partition=partition,
                offset=message.offset(),
                key=message.key() or b"",
                value=message.value(),
                headers={name: value or b"" for name, value in headers_of(message)},
                time_ms=message.timestamp()[1],
            )
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name has the underscore
            self._advance(self._partition(message.topic(), message.partition()), message.offset())
        elif error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise BrokerError(
                f"The Kafka log cannot be read: {error.str()}.", next_step="Check the state of the cluster."
            )
        return None

    def _advance(self, partition: LogPartition, offset: int) -> None:
        if offset > self._positions.get(partition, -1):
            self._positions[partition] = offset

    def _partition(self, topic: str, number: int) -> LogPartition:
        return LogPartition(self._topics.topic(topic), number)

    def _partition_counts(self, timeout_s: float = _METADATA_TIMEOUT_S) -> dict[Topic, int]:
        names = {topic: self._topics.name(topic) for topic in FOLLOWED}
        counts = self._cluster.partition_counts(names.values(), timeout_s=timeout_s)
        for name in names.values():
            if not counts.get(name):
                raise TopicError(
                    f"The topic {name} does not exist.", next_step="Create the topics with `bos topics apply`."
                )
        return {topic: counts[name] for topic, name in names.items()}

    def _place(self, partition: LogPartition) -> Partition:
        return self._topics.name(partition.topic), partition.number


def _shown(counts: Mapping[Topic, int]) -> str:
    return ", ".join(f"{topic.value}: {count}" for topic, count in counts.items())
