"""Reading partitions from chosen offsets with a consumer that joins no group and commits nothing."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from msgspec import Struct

from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.clients import client_properties
from runtime.kafka.errors import kafka_failure
from runtime.kafka.headers import headers_of
from schemas.errors import Code, TopicError

_READ_AHEAD = {"queued.min.messages": 1_000, "queued.max.messages.kbytes": 8_192, "fetch.queue.backoff.ms": 10}
"""Of a reader that goes from place to place. With the client's defaults a full queue delays the next fetch by a second,
also that of the next place: four records far apart took 3 s, and take 40 ms like this."""


class KafkaRecord(Struct, frozen=True):
    """A record as it is stored in Kafka."""

    topic: str
    """The topic's real name."""
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    time_ms: int = 0
    """The record's timestamp, Unix milliseconds; on own topics the broker's append time."""


class EndOfPartition(Struct, frozen=True):
    """Returned instead of a record when a partition has been read to its present end."""

    partition: Partition
    offset: int = 0
    """Next offset to read: what lies before it has been read, or is not for this consumer."""


class PartitionReader:
    """A consumer of partitions, a context manager; for one thread.

    `group` is required by librdkafka and never joined. Without `committed` it reads records of open and aborted
    transactions too. `fetch_bytes` is how much a broker sends of a partition at a time; a larger record comes whole.
    Methods raise `BrokerError` or `TopicError`.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        group: str,
        *,
        committed: bool = True,
        fetch_wait_ms: int = 20,
        fetch_bytes: int | None = None,
    ) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._consumer = Consumer(
            client_properties(kafka)
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": fetch_wait_ms,
            }
            | ({} if fetch_bytes is None else _READ_AHEAD | {"max.partition.fetch.bytes": fetch_bytes})
        )

    def assign(self, starts: Mapping[Partition, int | None]) -> None:
        """Read these partitions from now on, each from an offset, or from its beginning (None)."""
        self._consumer.assign(
            [
                TopicPartition(topic, number, OFFSET_BEGINNING if start is None else start)
                for (topic, number), start in starts.items()
            ]
        )

    def poll(self, timeout_s: float) -> KafkaRecord | EndOfPartition | None:
        """Return the next record or end of a partition; None if there is neither within `timeout_s` seconds."""
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        error = message.error()
        if error is None:
            return _record(message)
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name has the underscore
            return EndOfPartition((message.topic(), message.partition()), message.offset())
        raise kafka_failure(KafkaException(error), address=self._address, asked="records")

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_to_ends(
    kafka: Mapping[str, Any], topics: tuple[str, ...], *, group: str, timeout_s: float, committed: bool = True
) -> Iterator[KafkaRecord]:
    """Yield the records of topics up to their ends; in order within each partition.

    Raises:
        TimeoutError: a partition is silent for `timeout_s` seconds.
        TopicError: a topic does not exist.
        BrokerError: the cluster does not answer.
    """
    cluster = KafkaAdmin(kafka)
    counts = cluster.partition_counts(topics)
    missing = [topic for topic in topics if topic not in counts]
    if missing:
        raise TopicError(
            f"Topics cannot be read, because they do not exist: {', '.join(missing)}.",
            code=Code.TOPIC_MISSING,
            next_step="Run `bos topics apply`, which creates the product's own topics.",
        )
    unread = {(topic, number) for topic in topics for number in range(counts[topic])}
    ends = cluster.log_ends(sorted(unread), committed=committed)
    with PartitionReader(kafka, group, committed=committed) as reader:
        reader.assign(dict.fromkeys(unread))
        while unread:
            found = reader.poll(timeout_s)
            if found is None:
                raise TimeoutError(f"{sorted(unread)} are silent for {timeout_s:.0f} s")
            if isinstance(found, EndOfPartition):
                unread.discard(found.partition)
            else:
                yield found
                # A topic that is written to all the time never reports its end.
                if found.offset + 1 >= ends[found.topic, found.partition]:
                    unread.discard((found.topic, found.partition))


def _record(message: Message) -> KafkaRecord:
    return KafkaRecord(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=tuple(headers_of(message)),
        time_ms=message.timestamp()[1],
    )
