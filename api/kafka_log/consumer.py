"""The log as the api reads it: status, history and dead letters, read committed, without a consumer group.

`KafkaLog` is what the tail needs, `KafkaLogConsumer` is Kafka's; the tests bring a log in memory.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from msgspec import Struct

from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.headers import headers_of
from schemas.errors import BrokerError, StateError, TopicError
from schemas.topics import Topic, TopicTable
from state.projection import require_not_ahead

FOLLOWED = (Topic.STATUS, Topic.HISTORY, Topic.DEAD_LETTERS)
_FETCH_WAIT_MS = 50
"""How long the broker may hold an empty answer: the most that a question about the very end waits."""
_MOST_RECORDS = 500
_METADATA_TIMEOUT_S = 10.0


class LogPartition(NamedTuple):
    """One partition of a followed topic."""

    topic: Topic
    number: int


class LogRecord(Struct, frozen=True):
    """A committed record."""

    partition: LogPartition
    offset: int
    key: bytes
    value: bytes | None
    headers: dict[str, bytes]
    time_ms: int = 0


class KafkaLog(Protocol):
    """Reads the followed topics from one thread."""

    def start(self, offsets: Mapping[LogPartition, int]) -> dict[LogPartition, int]:
        """Begin to read, and return the ends as they are now.

        Status partitions start at the offset given, or at their beginning; the others at their end.
        """

    def read(self, timeout_s: float) -> list[LogRecord]:
        """Return what has come, waiting for the first record up to `timeout_s`."""

    def positions(self) -> dict[LogPartition, int]:
        """Return the next offset of each partition; control records and aborted ones have been passed."""

    def check(self) -> None:
        """Raise `StateError` where the number of partitions has changed."""

    def close(self) -> None:
        """Leave the cluster."""


def topic_partitions(counts: Mapping[Topic, int]) -> list[LogPartition]:
    """Return every partition, from the number of them of each topic."""
    return [LogPartition(topic, number) for topic, count in counts.items() for number in range(count)]


def start_of(partition: LogPartition, projected: int, low: int, high: int) -> int:
    """Return where to begin to read a partition that goes from `low` to `high`.

    Raises `ProjectionError` where the projection reflects more than there is: new snapshots would look old.
    """
    if partition.topic is not Topic.STATUS:
        return high
    require_not_ahead(f"{partition.topic.value}[{partition.number}]", projected, high)
    return max(projected, low)


class KafkaLogConsumer:
    """The log on a Kafka cluster. `cluster` is asked for partitions and offsets; by default through a shared client."""

    def __init__(
        self, kafka: Mapping[str, Any], topics: TopicTable, largest_bytes: int, cluster: KafkaAdmin | None = None
    ) -> None:
        self._topics = topics
        self._cluster = KafkaAdmin(kafka) if cluster is None else cluster
        self._consumer = Consumer(
            {
                **kafka,
                "group.id": "batch-orchestrator-api-tail",  # named because it must be; nothing is committed or joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": _FETCH_WAIT_MS,
                "fetch.max.bytes": max(largest_bytes, 8_388_608),
                "queued.max.messages.kbytes": 65_536,
            }
        )
        self._positions: dict[LogPartition, int] = {}

    def reach(self) -> None:
        """Raise `BrokerError` or `TopicError` where there is no cluster, or a topic is missing."""
        self._partition_counts()

    def start(self, offsets: Mapping[LogPartition, int]) -> dict[LogPartition, int]:
        """Assign every partition and return the ends. Raises what `reach` and `start_of` do."""
        self._counts = self._partition_counts()
        places = {partition: self._place(partition) for partition in topic_partitions(self._counts)}
        lows = self._cluster.log_starts(list(places.values()))
        highs = self._cluster.log_ends(list(places.values()), committed=True)
        ends = {partition: highs[place] for partition, place in places.items()}
        assignment: list[TopicPartition] = []
        for partition, place in places.items():
            low = lows[place]
            start = start_of(partition, offsets.get(partition, low), low, ends[partition])
            self._positions[partition] = start
            assignment.append(TopicPartition(*place, start))
        self._consumer.assign(assignment)
        return ends

    def read(self, timeout_s: float) -> list[LogRecord]:
        """Return what has come. Raises `BrokerError` for an error that the client cannot heal by itself."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_MOST_RECORDS, 0)]
        return [record for message in messages if (record := self._record(message)) is not None]

    def positions(self) -> dict[LogPartition, int]:
        """Return the next offset of each partition, control records passed."""
        for position in self._consumer.position(self._consumer.assignment()):
            if position.offset >= 0:
                self._advance(self._partition(position.topic, position.partition), position.offset)
        return dict(self._positions)

    def check(self) -> None:
        """Raise `StateError` where the number of partitions has changed: keys would be elsewhere."""
        counts = self._partition_counts()
        if counts != self._counts:
            raise StateError(
                f"The numbers of partitions have changed from {_shown(self._counts)} to {_shown(counts)}.",
                next_step="Start this process again once the topics are as the other processes expect them.",
            )

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

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
            raise BrokerError(f"The log cannot be followed: {error.str()}.", next_step="Look at the cluster's state.")
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
