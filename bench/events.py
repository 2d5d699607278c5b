"""The events of whole batches, four for each, in the order and with the bytes that the sections work on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.wire import PHASES, BatchIds, Shape, Wire
from runtime.settings import Settings
from schemas.ids import slot_ids
from schemas.internal.outgoing import RecordPosition
from schemas.topics import Topic

WAVE = 256
"""Number of concurrent batches, whose events are interleaved."""
STEPS = ("register", "ready", *PHASES)
"""Events of a batch, in their order."""


@dataclass(frozen=True, slots=True)
class Input:
    """A record of one of the router's inputs."""

    step: str
    topic: Topic
    value: bytes
    at: RecordPosition
    """Where it is read; the inbox record that it becomes has the same partition and offset on the inbox."""


def inputs(settings: Settings, shape: Shape, *, batches: int, essays: int) -> Iterator[Input]:
    """Yield the events of `batches` batches as the router's inputs have them.

    Essay ids follow from the offset of the batch's registration on the inbox, so each record's offset is computed.
    """
    wire, topics, partitions = Wire(shape, essays), settings.topics(), settings.topic_partitions
    ends = [0] * partitions
    slots: dict[int, Sequence[str]] = {}
    for number, step in interleaved(batches):
        ids, partition = BatchIds.numbered(number, "inbox"), number % partitions
        if step == "register":
            slots[number] = slot_ids(ids.batch_id, ends[partition], essays)
        at = RecordPosition(topics.name(wire.topics[step]), partition, ends[partition])
        yield Input(step, wire.topics[step], event_bytes(wire, ids, step, slots[number]), at)
        ends[partition] += 1


def interleaved(batches: int) -> Iterator[tuple[int, str]]:
    """Yield each event as the number of its batch and its step."""
    for start in range(0, batches, WAVE):
        for step in STEPS:
            for number in range(start, min(start + WAVE, batches)):
                yield number, step


def event_bytes(wire: Wire, ids: BatchIds, step: str, essay_ids: Sequence[str]) -> bytes:
    """Return the bytes of one event of a batch."""
    if step == "register":
        return wire.registration(ids)
    if step == "ready":
        return wire.ready(ids, essay_ids)
    return wire.outcome(ids, step, essay_ids)
