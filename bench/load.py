"""The load that is written before a measurement: whole batches with four events each, as in the real pipeline."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from confluent_kafka import Producer

from bench.wire import PHASES, BatchIds, Shape, Wire
from runtime.settings import Settings
from schemas.ids import slot_ids
from schemas.inbound.normalise import normalise
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import NEXT_DEADLINE_MS, VERSION, inbox_outgoing
from schemas.topics import Topic
from topology.router.transform import registration_policy

WAVE = 256
"""Number of concurrent batches, whose events are interleaved."""
_SNAPSHOT = b"{" + b" " * 250 + b"}"
_STEPS = ("register", "ready", *PHASES)


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
    """Fill an empty inbox with what the router would write for `batches` batches of the seed's shape.

    Essay ids follow from the offset of the batch's registration, so each record's offset is computed in advance.
    """
    wire, policy, inbox = Wire("seed", essays), registration_policy(settings), settings.topics().name(Topic.INBOX)
    partitions = settings.topic_partitions
    ends = [0] * partitions
    slots: dict[int, Sequence[str]] = {}
    size = 0
    with _Sending(settings) as sending:
        for number, step in _interleaved(batches):
            ids, partition = BatchIds.numbered(number, "inbox"), number % partitions
            if step == "register":
                slots[number] = slot_ids(ids.batch_id, ends[partition], essays)
            value = _event(wire, ids, step, slots[number])
            at = RecordPosition(settings.topics().name(wire.topics[step]), partition, ends[partition])
            outgoing = inbox_outgoing(normalise(wire.topics[step], at, value, {}, policy))
            assert outgoing.value is not None
            sending.send(inbox, outgoing.value, key=outgoing.key, partition=partition)
            ends[partition] += 1
            size += len(outgoing.value)
    return Laid(batches * len(_STEPS), size)


def fill_inputs(settings: Settings, shape: Shape, *, batches: int, essays: int) -> Laid:
    """Fill the router's input topics with the same events in one era's shape, without keys like the seed's peers."""
    wire, topics = Wire(shape, essays), settings.topics()
    size = 0
    with _Sending(settings) as sending:
        for number, step in _interleaved(batches):
            ids = BatchIds.numbered(number, f"inputs {shape}")
            value = _event(wire, ids, step, slot_ids(ids.batch_id, number, essays))
            sending.send(topics.name(wire.topics[step]), value)
            size += len(value)
    return Laid(batches * len(_STEPS), size)


def fill_status(settings: Settings, deadlines: Iterable[tuple[str, int]]) -> None:
    """Write a status record for each batch with its next deadline (Unix milliseconds), as the timekeeper reads it."""
    status = settings.topics().name(Topic.STATUS)
    with _Sending(settings) as sending:
        for batch_id, due_ms in deadlines:
            headers = [(VERSION, b"1"), (NEXT_DEADLINE_MS, b"%d" % due_ms)]
            sending.send(status, _SNAPSHOT, key=batch_id.encode(), headers=headers)


def _interleaved(batches: int) -> Iterator[tuple[int, str]]:
    for start in range(0, batches, WAVE):
        for step in _STEPS:
            for number in range(start, min(start + WAVE, batches)):
                yield number, step


def _event(wire: Wire, ids: BatchIds, step: str, essay_ids: Sequence[str]) -> bytes:
    if step == "register":
        return wire.registration(ids)
    if step == "ready":
        return wire.ready(ids, essay_ids)
    return wire.outcome(ids, step, essay_ids)


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
