"""A record on its way to Kafka, and where a record was first read."""

from msgspec import Struct

from schemas.topics import AnyTopic


class OutgoingRecord(Struct, frozen=True):
    """A record to publish. The topic's real name comes from the `TopicTable` of the process."""

    topic: AnyTopic
    key: bytes
    value: bytes | None
    """None: a tombstone."""
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, as the broker's limit counts them (without the batch's overhead)."""
        size = len(self.key) + len(self.value or b"")
        for name, value in self.headers:
            size += len(name) + len(value)
        return size


class RecordPosition(Struct, frozen=True):
    """Where a record lies: real topic name, partition and offset, and its time in Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    time_ms: int = 0
