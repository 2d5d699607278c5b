"""Collecting the recorded events of one batch: its inbox records, and the history record of each.

The coordinates come from the batch's history: from the projection, and after the projection's offset from the history
topic itself, so that the newest decision is among them however far the projection is behind.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from runtime.kafka.admin import Partition
from runtime.kafka.partition_reader import KafkaRecord
from schemas.errors import Code, OrchestratorError, RecordsExpired, UnreadableRecord
from schemas.internal.enums import Disposition
from schemas.internal.events import InboxRecord
from schemas.internal.history import HistoryRecord
from schemas.internal.records import decode_history, decode_inbox
from schemas.topics import Topic, TopicTable
from state.replay import RecordedEvent, current_life

CHANGING = (Disposition.APPLIED, Disposition.REFUSED)
"""Dispositions of events that can change what is stored of a batch: a refused request is remembered."""


class Fetcher(Protocol):
    """Fetches records by their coordinates; `runtime.kafka.record_fetcher` does so from a cluster."""

    def fetch(self, partition: Partition, offsets: Iterable[int], *, timeout_s: float) -> list[KafkaRecord]:
        """Return the records at `offsets`. Raises `RecordsExpired` or `BrokerError`."""

    def read(
        self,
        partition: Partition,
        start: int | None,
        end: int,
        *,
        keep: Callable[[KafkaRecord], bool],
        timeout_s: float,
    ) -> list[KafkaRecord]:
        """Return the records from `start` to before `end` that `keep` accepts. Raises what `fetch` raises."""


OpenFetcher = Callable[[], AbstractContextManager[Fetcher]]


class HistoryTail(NamedTuple):
    """The part of the history topic that the projection does not reflect yet."""

    partition: int
    start: int | None
    """Next offset that the projection will read; None where it has read nothing of this partition."""
    end: int
    """End of the partition, open transactions included."""


class Records:
    """Collects records through one fetcher, within `timeout_s` seconds for each of the two topics."""

    def __init__(self, fetcher: Fetcher, topics: TopicTable, timeout_s: float) -> None:
        self._fetcher = fetcher
        self._topics = topics
        self._timeout_s = timeout_s

    def tail(self, batch_id: str, tail: HistoryTail) -> list[HistoryRecord]:
        """Return the batch's history records that the projection does not reflect yet."""
        key = batch_id.encode()
        place = (self._topics.name(Topic.HISTORY), tail.partition)
        found = self._fetcher.read(
            place, tail.start, tail.end, keep=lambda record: record.key == key, timeout_s=self._timeout_s
        )
        return [decode_history(record.value or b"") for record in found]

    def events(self, batch_id: str, histories: Iterable[HistoryRecord]) -> tuple[RecordedEvent, ...]:
        """Return the events of the batch's present life.

        Raises `RecordsExpired` where they do not reach back to its registration.
        """
        life = current_life(histories)
        if not life:
            raise RecordsExpired(
                f"The history of batch {batch_id} does not reach back to its registration.",
                next_step="The history is kept for 30 days; what is left of it is shown by `bos batches history ID`.",
            )
        wanted: dict[int, list[int]] = {}
        for each in life:
            if each.disposition is not Disposition.QUARANTINED:
                wanted.setdefault(each.partition, []).append(each.offset)
        found = {
            (number, record.offset): record
            for number, offsets in wanted.items()
            for record in self._fetcher.fetch(
                (self._topics.name(Topic.INBOX), number), offsets, timeout_s=self._timeout_s
            )
        }
        return tuple(
            RecordedEvent(_inbox_record(each, found), each, _value(found.get((each.partition, each.offset))))
            for each in life
        )


def _value(stored: KafkaRecord | None) -> bytes:
    return b"" if stored is None else stored.value or b""


def _inbox_record(history: HistoryRecord, found: Mapping[tuple[int, int], KafkaRecord]) -> InboxRecord | None:
    stored = found.get((history.partition, history.offset))
    if stored is None:
        return None
    place = f"The record at offset {history.offset} of partition {history.partition} of the inbox"
    if stored.key != history.batch_id.encode() or stored.time_ms != history.time_ms:
        raise RecordsExpired(
            f"{place} is not the one that was decided: the inbox has been replaced since then.",
            next_step="Batches of the earlier inbox cannot be replayed; `bos batches history ID` shows them.",
        )
    try:
        return decode_inbox(stored.value or b"")
    except UnreadableRecord as error:
        raise OrchestratorError(
            f"{place} cannot be decoded, though its history says that it was decided: {error.message}",
            code=Code.REPLAY_DIFFERS,
            next_step="Report it: a record of the inbox has been replaced or was written by something else.",
        ) from error
