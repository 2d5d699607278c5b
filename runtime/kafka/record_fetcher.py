"""Fetching records by their coordinates: single offsets of a partition, or a range of it.

A fetch is one question with one bound of time. The consumer joins no group, commits nothing and reads committed.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Event
from types import TracebackType
from typing import Any, Self

from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.partition_reader import EndOfPartition, KafkaRecord, PartitionReader
from schemas.errors import BrokerError, Code, RecordsExpired

_POLL_S = 0.1
_FETCH_BYTES = 262_144
"""Bytes that a broker sends at a time: a single record is wanted, not what follows it."""
_READ_ON_OFFSETS = 200
"""Distance in offsets up to which reading on is cheaper than a new fetch at the next wanted offset."""


class RecordFetcher:
    """Fetches records of a cluster; a context manager, for one thread.

    `group` is required by librdkafka and never joined. `stopping` ends a fetch early, with `BrokerError`.
    """

    def __init__(self, kafka: Mapping[str, Any], group: str, *, stopping: Event | None = None) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._cluster = KafkaAdmin(kafka)
        self._reader = PartitionReader(kafka, group, fetch_bytes=_FETCH_BYTES)
        self._stopping = stopping or Event()

    def fetch(self, partition: Partition, offsets: Iterable[int], *, timeout_s: float) -> list[KafkaRecord]:
        """Return the records at `offsets` of a partition, in the order of the log.

        Raises:
            RecordsExpired: retention has removed one of them, or the partition never held it.
            BrokerError: the cluster does not answer, or not all of them can be read within `timeout_s` seconds.
            TopicError: the topic does not exist.
        """
        wanted = sorted(set(offsets))
        if not wanted:
            return []
        deadline = time.monotonic() + timeout_s
        start = self._cluster.log_starts([partition])[partition]
        if wanted[0] < start:
            raise _expired(partition, wanted[0], start)
        found: list[KafkaRecord] = []
        position: int | None = None
        for offset in wanted:
            if position is None or not position <= offset <= position + _READ_ON_OFFSETS:
                self._reader.assign({partition: offset})
            record = self._record_at(partition, offset, deadline)
            found.append(record)
            position = record.offset + 1
        return found

    def read(
        self,
        partition: Partition,
        start: int | None,
        end: int,
        *,
        keep: Callable[[KafkaRecord], bool],
        timeout_s: float,
    ) -> list[KafkaRecord]:
        """Return the records of a partition from offset `start` to before `end` that `keep` accepts.

        With None as `start` it begins at the first record that retention has left. An open transaction before `end` is
        waited for. Raises what `fetch` raises; `RecordsExpired` where retention has removed the beginning of the range.
        """
        deadline = time.monotonic() + timeout_s
        first = self._cluster.log_starts([partition])[partition]
        start = first if start is None else start
        if start >= end:
            return []
        if start < first:
            raise _expired(partition, start, first)
        self._reader.assign({partition: start})
        found: list[KafkaRecord] = []
        for record in self._polled(partition, deadline, f"offset {end - 1}"):
            if isinstance(record, EndOfPartition):
                if record.offset >= end:
                    break
                continue
            if record.offset < end and keep(record):
                found.append(record)
            if record.offset + 1 >= end:
                break
        return found

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record_at(self, partition: Partition, offset: int, deadline: float) -> KafkaRecord:
        for found in self._polled(partition, deadline, f"offset {offset}"):
            if isinstance(found, EndOfPartition):
                if found.offset > offset:
                    break
            elif found.offset == offset:
                return found
            elif found.offset > offset:
                break
        raise _expired(partition, offset, offset + 1)

    def _polled(self, partition: Partition, deadline: float, what: str) -> Iterator[KafkaRecord | EndOfPartition]:
        """Yield what the partition gives. Raises `BrokerError` at the deadline."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                why = "this process stops" if self._stopping.is_set() else "it cannot be read in time"
                raise BrokerError(
                    f"{partition[0]}[{partition[1]}] on the Kafka cluster at {self._address} was not read up to "
                    f"{what}: {why}.",
                    next_step="Try again; if it fails again, look for an open transaction or a broker that is down.",
                )
            found = self._reader.poll(min(left, _POLL_S))
            # What an earlier assignment had fetched cannot come: the client drops it at the next assignment.
            if found is not None:
                yield found


def _expired(partition: Partition, wanted: int, start: int) -> RecordsExpired:
    topic, number = partition
    return RecordsExpired(
        f"The record at offset {wanted} of {topic}[{number}] is no longer there; the partition goes on at offset "
        f"{start}.",
        code=Code.RECORDS_EXPIRED,
        next_step="What was decided stands in the batch's history (`bos batches history ID`). To replay batches for "
        f"longer, raise the retention of {topic}.",
    )
