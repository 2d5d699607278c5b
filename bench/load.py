"""The load that is written before a measurement: whole batches with four events each, as in the real pipeline."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from confluent_kafka import Producer

from bench.events import STEPS, event_bytes, inputs, interleaved
from bench.wire import BatchIds, Shape, Wire
from runtime.settings import Settings
from schemas.ids import slot_ids
from schemas.inbound.normalise import normalise
from schemas.internal.history import HistoryRecord
from schemas.internal.records import NEXT_DEADLINE_MS, VERSION, history_outgoing, inbox_outgoing, status_outgoing
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from topology.router.transform import registration_policy

_SNAPSHOT = b"{" + b" " * 250 + b"}"


@dataclass(frozen=True, slots=True)
class Laid:
    """The size of a written load."""

    records: int
    """Number of records."""
    value_bytes: int
    """Total bytes of all values."""

    @property
    def mean_bytes(self) -> float:
        """Mean size of a value, in bytes."""
        return self.value_bytes / self.records


def fill_inbox(settings: Settings, *, batches: int, essays: int) -> Laid:
    """Fill an empty inbox with what the router would write for `batches` batches of the seed's shape."""
    policy, inbox = registration_policy(settings), settings.topics().name(Topic.INBOX)
    size = 0
    with _Sending(settings) as sending:
        for event in inputs(settings, "seed", batches=batches, essays=essays):
            outgoing = inbox_outgoing(normalise(event.topic, event.at, event.value, {}, policy))
            assert outgoing.value is not None
            sending.send(inbox, outgoing.value, key=outgoing.key, partition=event.at.partition)
            size += len(outgoing.value)
    return Laid(batches * len(STEPS), size)


def fill_inputs(settings: Settings, shape: Shape, *, batches: int, essays: int) -> Laid:
    """Fill the router's input topics with the same events in one era's shape, without keys like the seed's peers."""
    wire, topics = Wire(shape, essays), settings.topics()
    size = 0
    with _Sending(settings) as sending:
        for number, step in interleaved(batches):
            ids = BatchIds.numbered(number, f"inputs {shape}")
            value = event_bytes(wire, ids, step, slot_ids(ids.batch_id, number, essays))
            sending.send(topics.name(wire.topics[step]), value)
            size += len(value)
    return Laid(batches * len(STEPS), size)


def fill_status(settings: Settings, deadlines: Iterable[tuple[str, int]]) -> None:
    """Write a status record for each batch with its next deadline (Unix milliseconds), as the timekeeper reads it."""
    status = settings.topics().name(Topic.STATUS)
    with _Sending(settings) as sending:
        for batch_id, due_ms in deadlines:
            headers = [(VERSION, b"1"), (NEXT_DEADLINE_MS, b"%d" % due_ms)]
            sending.send(status, _SNAPSHOT, key=batch_id.encode(), headers=headers)


def fill_projected(settings: Settings, records: Iterable[tuple[StatusRecord | HistoryRecord, int]]) -> None:
    """Write status and history records, each to a partition, as the orchestrator writes them."""
    with _Sending(settings) as sending:
        for record, partition in records:
            outgoing = status_outgoing(record) if isinstance(record, StatusRecord) else history_outgoing(record)
            assert isinstance(outgoing.topic, Topic)
            assert outgoing.value is not None
            name, headers = settings.topics().name(outgoing.topic), list(outgoing.headers)
            sending.send(name, outgoing.value, key=outgoing.key, partition=partition, headers=headers)


class _Sending:
    """A producer that flushes all records when its context ends."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer(
            {**settings.kafka(), "enable.idempotence": True, "linger.ms": 5, "batch.size": 262_144}
        )

    def send(self, topic: str, value: bytes, **where: Any) -> None:
        """Send one record."""
        while True:
            try:
                self._producer.produce(topic, value, **where)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        unsent = self._producer.flush(60)
        if unsent:
            raise TimeoutError(f"{unsent} records could not be sent")
