"""Follows the status topic: a member of the timekeepers' group that keeps the index of its partitions up to date.

Offsets are kept in the index, together with what they stand for, and not in the group: another instance that takes a
partition over reads it by itself.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from runtime.health import STATISTICS_INTERVAL_MS
from runtime.kafka.admin import ClusterFacts
from runtime.kafka.clients import client_properties, log_error
from runtime.kafka.errors import kafka_failure
from runtime.kafka.headers import headers_of
from runtime.logs import get_logger
from schemas.internal.records import NEXT_DEADLINE_MS
from schemas.topics import RETENTION_MS
from topology.stream.clients import FETCH_WAIT_MS, HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS
from topology.stream.fencing import is_fenced_consumer
from topology.stream.guards import offset_out_of_range, topic_gone
from topology.timekeeper.index import LATEST_MS, Arming, DeadlineIndex, Position

MOST_RECORDS = 5_000
"""Records that are taken in at once."""
OLDEST_INDEX_MS = RETENTION_MS // 2
"""Age from which an index is read again: the topic forgets its tombstones after `RETENTION_MS`."""

_CONSUMER: Mapping[str, Any] = {
    "session.timeout.ms": SESSION_TIMEOUT_MS,
    "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
    "partition.assignment.strategy": "range",
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": FETCH_WAIT_MS,
    "statistics.interval.ms": STATISTICS_INTERVAL_MS,
}

_logger = get_logger("topology.timekeeper.follower")


class FollowerListener(Protocol):
    """Is told what the follower sees, in the thread of the loop."""

    def on_statistics(self, statistics: str) -> None:
        """Take in the consumer's statistics."""

    def read(self, partition: int, records: int, time_ms: int) -> None:
        """Note that status records were read, and the append time of the last one."""

    def unreadable(self, what: str) -> None:
        """Note a record that cannot be used."""

    def allow_assignment(self) -> AbstractContextManager[None]:
        """Give the loop time for an assignment."""


class StatusFollower:
    """Reads the status topic into `index`; for one thread. `member` is the instance id within `group`.

    Methods raise `BrokerError`, `StateError` or `TopicError`, and `KafkaException` where Kafka has fenced this member.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        *,
        topic: str,
        group: str,
        member: str,
        index: DeadlineIndex,
        cluster: ClusterFacts,
        listener: FollowerListener,
    ) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._topic = topic
        self._index = index
        self._cluster = cluster
        self._listener = listener
        self._fatal: KafkaError | None = None
        self._ends: dict[int, int] = {}
        """Ends of the assigned partitions, as of their assignment."""
        self._read_to: dict[int, int] = {}
        own = {
            "client.id": member,
            "group.id": group,
            "group.instance.id": member,
            "stats_cb": listener.on_statistics,
            "error_cb": self._note_error,
        }
        self.consumer = Consumer(client_properties(kafka, {**_CONSUMER, **own}))

    @property
    def assigned(self) -> list[int]:
        """The assigned partitions."""
        return sorted(self._ends)

    @property
    def current(self) -> list[int]:
        """The assigned partitions that have been read up to their ends as of the assignment: these may be fired."""
        return [number for number in self.assigned if self._read_to.get(number, 0) >= self._ends[number]]

    def subscribe(self) -> None:
        """Join the group."""
        self.consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def read(self, timeout_s: float, limit: int = MOST_RECORDS) -> int:
        """Take in what comes within `timeout_s` seconds, and return the number of records."""
        messages = self.consumer.consume(limit, timeout_s)
        if self._fatal is not None:
            raise self._failure(self._fatal)
        armings: defaultdict[int, list[Arming]] = defaultdict(list)
        ends: dict[int, int] = {}
        last: dict[int, Message] = {}
        for message in messages:
            if message.error() is None:
                number = message.partition()
                self._take(message, armings[number])
                last[number] = message
                ends[number] = message.offset() + 1
            else:
                self._note_event(message, ends)
        for number, end in ends.items():
            if number not in self._ends:
                continue  # it was revoked while the records were on their way
            self._read_to[number] = end
            if number in last:
                self._listener.read(number, len(armings[number]), _append_time(last[number]))
                self._index.apply(number, armings[number], end, _now_ms())
        return sum(len(found) for found in armings.values())

    def _take(self, message: Message, armings: list[Arming]) -> None:
        try:
            armings.append(arming_of(message.key(), message.value(), headers_of(message), message.offset()))
        except ValueError as error:
            self._listener.unreadable(f"{message.topic()}[{message.partition()}]@{message.offset()}: {error}")

    def _note_event(self, message: Message, ends: dict[int, int]) -> None:
        error = message.error()
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public names for local errors
            ends[message.partition()] = message.offset()  # behind transaction markers, which no record shows
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            raise offset_out_of_range(message.topic(), message.partition(), message.offset(), error.str())
        elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise topic_gone(message.topic())
        elif not error.retriable():
            raise self._failure(error)

    def _failure(self, error: KafkaError) -> Exception:
        if is_fenced_consumer(error):
            fenced: Exception = KafkaException(error)
            return fenced
        return kafka_failure(KafkaException(error), address=self._address, asked="status records")

    def _note_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001
            self._fatal = error
        log_error(error)

    def _assigned(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        with self._listener.allow_assignment():
            places = [(at.topic, at.partition) for at in partitions]
            starts = self._cluster.log_starts(places)
            ends = self._cluster.log_ends(places, committed=False)
            self._ends = {number: ends[topic, number] for topic, number in places}
            self._read_to = {}
            for at in partitions:
                number = at.partition
                at.offset = self._start(number, starts[at.topic, number], self._ends[number])
                self._read_to[number] = max(at.offset, 0)
            consumer.assign(list(partitions))
        _logger.info("assigned", partitions={at.partition: at.offset for at in partitions})

    def _start(self, number: int, first: int, end: int) -> int:
        """Return the offset from which a partition is read on; forget an index that no longer fits the topic."""
        position = self._index.position(number)
        why = unusable(position, first, end, _now_ms())
        if why is None:
            assert position is not None
            return position.offset
        if position is not None:
            _logger.warning("index_read_again", partition=number, reason=why)
        self._index.reset(number)
        return int(OFFSET_BEGINNING)

    def _revoked(self, _consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        for at in partitions:
            self._ends.pop(at.partition, None)
            self._read_to.pop(at.partition, None)


def unusable(position: Position | None, first: int, end: int, now_ms: int) -> str | None:
    """Return why the index of a partition cannot be gone on with, or None.

    `first` and `end` are the first offset of the partition and the one after its last record.
    """
    if position is None:
        return "it has not been read"
    if not first <= position.offset <= end:
        return f"it has been read up to {position.offset}, and the topic holds {first} to {end}"
    if now_ms - position.time_ms > OLDEST_INDEX_MS:
        return "it is so old that tombstones may have been removed from the topic since"
    return None


def arming_of(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]], offset: int
) -> Arming:
    """Return what a status record says about the clock of its batch. Raises `ValueError` if it cannot be used."""
    if not key:
        raise ValueError("it has no key")
    key.decode()
    due = next((content for name, content in headers if name == NEXT_DEADLINE_MS), None)
    if value is None or due is None:
        return Arming(key, None, offset)
    due_ms = int(due)
    if not 0 <= due_ms <= LATEST_MS:
        raise ValueError(f"its deadline {due_ms} is no time")
    return Arming(key, due_ms, offset)


def _append_time(message: Message) -> int:
    kind, time_ms = message.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME, "the status topic is stamped by the broker"
    return int(time_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
