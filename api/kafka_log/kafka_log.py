"""The Kafka log as the follower reads it: the topics, their partitions and records, and the interface of a log.

`KafkaLogConsumer` (`api.kafka_log.consumer`) implements the interface on a cluster; tests implement it in memory.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct

from schemas.topics import Topic
from state.projection import require_not_ahead

FOLLOWED = (Topic.STATUS, Topic.HISTORY, Topic.DEAD_LETTERS, Topic.PROCESSES, Topic.OPERATIONS)
"""Topics that an api worker reads."""
_BEFORE_THE_END = 500


class LogPartition(NamedTuple):
    """One partition of a followed topic."""

    topic: Topic
    number: int


class LogRecord(Struct, frozen=True):
    """A committed record of a followed topic."""

    partition: LogPartition
    offset: int
    key: bytes
    value: bytes | None
    """The record's value; None for a tombstone."""
    headers: dict[str, bytes]
    time_ms: int = 0
    """The record's append time, Unix milliseconds."""


class KafkaLog(Protocol):
    """Reads the followed topics, read committed, from one thread."""

    def start(self, offsets: Mapping[LogPartition, int] | None) -> dict[LogPartition, int]:
        """Begin to read, and return the end offset of every partition as of now.

        Status partitions start at the offset given, or at their beginning; where `offsets` is None, shortly before
        their end. Partitions of the topics of processes and operations start at their beginning, all others at their
        end. `positions` returns where each partition starts.
        """

    def resume(self, positions: Mapping[LogPartition, int]) -> None:
        """Begin to read every partition at the position that another log has reached. Raises `BrokerError`."""

    def read(self, timeout_s: float) -> list[LogRecord]:
        """Return the records that have arrived, waiting for the first one up to `timeout_s`.

        Raises `LivenessError` if the cluster has not answered for so long that only a new client helps.
        """

    def positions(self) -> dict[LogPartition, int]:
        """Return the next offset of each partition; it lies behind all control and aborted records read so far."""

    def check(self) -> None:
        """Raise `StateError` if the number of partitions has changed."""

    def close(self) -> None:
        """Disconnect from the cluster."""


def topic_partitions(counts: Mapping[Topic, int]) -> list[LogPartition]:
    """Return every partition, given the number of partitions of each topic."""
    return [LogPartition(topic, number) for topic, count in counts.items() for number in range(count)]


def shortly_before(end: int) -> int:
    """Return where to begin to read a status partition if the projection's offset is unknown.

    It is not the end itself: the last offsets can belong to control records, which the projection never passes, so
    the projection would look behind until another record is written.
    """
    return end - _BEFORE_THE_END


def start_of(partition: LogPartition, projected: int, low: int, high: int) -> int:
    """Return where to begin to read a partition whose offsets go from `low` to `high`.

    Raises `ProjectionError` if the projection's offset lies behind `high`: new snapshots would look old.
    """
    if partition.topic in (Topic.PROCESSES, Topic.OPERATIONS):
        return low
    if partition.topic is not Topic.STATUS:
        return high
    require_not_ahead(f"{partition.topic.value}[{partition.number}]", projected, high)
    return max(projected, low)
