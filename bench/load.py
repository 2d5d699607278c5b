"""The load that is written before a measurement: whole batches with four events each, as in the real pipeline."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Self

from confluent_kafka import Producer

from bench.events import STEPS, Input, event_bytes, inputs, interleaved
from bench.wire import BatchIds, Shape, Wire
from runtime.settings import Settings
from schemas.ids import slot_ids
from schemas.inbound.normalise import normalise
from schemas.internal.history import HistoryRecord
from schemas.internal.records import NEXT_DEADLINE_MS, VERSION, history_outgoing, inbox_outgoing, status_outgoing
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from topology.router.transform import registration_policy

_TIMEOUT_S = 60
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


def fill_inbox(settings: Settings, *, batches: int, essays: int, at_once: bool = False) -> Laid:
    """Fill an empty inbox with what the router would write for `batches` batches of the seed's shape."""
    return fill_events(settings, inputs(settings, "seed", batches=batches, essays=essays), at_once=at_once)


def fill_events(settings: Settings, events: Iterable[Input], *, at_once: bool = False) -> Laid:
    """Append to the inbox what the router would write for these events.

    With `at_once` they are one transaction: running orchestrators see all of them together, once all are written.
    """
    records = size = 0
    with _Sending(settings, at_once=at_once) as sending:
        for value in _into_inbox(settings, sending, events):
            records += 1
            size += len(value)
    return Laid(records, size)


@contextmanager
def paced_inbox(settings: Settings, events: Iterable[Input], per_second: float) -> Iterator[None]:
    """Append events to the inbox at a steady rate, from a thread, while the context lasts."""
    stopping = Event()

    def feed() -> None:
        with _Sending(settings) as sending:
            due = time.monotonic()
            for _ in _into_inbox(settings, sending, events):
                due += 1 / per_second
                if stopping.wait(max(0.0, due - time.monotonic())):
                    return

    thread = Thread(target=feed, name="paced-inbox", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _into_inbox(settings: Settings, sending: "_Sending", events: Iterable[Input]) -> Iterator[bytes]:
    """Send each event as the router would, and yield its value."""
    policy, inbox = registration_policy(settings), settings.topics().name(Topic.INBOX)
    for event in events:
        outgoing = inbox_outgoing(normalise(event.topic, event.at, event.value, {}, policy))
        assert outgoing.value is not None
        sending.send(inbox, outgoing.value, key=outgoing.key, partition=event.at.partition)
        yield outgoing.value


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
    """A producer that flushes all records when its context ends; with `at_once` they are one transaction."""

    def __init__(self, settings: Settings, *, at_once: bool = False) -> None:
        properties = {**settings.kafka(), "enable.idempotence": True, "linger.ms": 5, "batch.size": 262_144}
        if at_once:
            properties["transactional.id"] = f"{settings.topic_prefix}.bench"
        self._producer, self._at_once = Producer(properties), at_once

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
        if self._at_once:
            self._producer.init_transactions(_TIMEOUT_S)
            self._producer.begin_transaction()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._at_once:
            end = self._producer.commit_transaction if kind is None else self._producer.abort_transaction
            end(_TIMEOUT_S)
        elif unsent := self._producer.flush(_TIMEOUT_S):
            raise TimeoutError(f"{unsent} records could not be sent")
