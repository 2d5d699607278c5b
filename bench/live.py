"""Simulated peers at full speed: they answer every published record at once, and measure the latency of commands.

The simulated peers of the demo validate all records against the eras' JSON schemas, which costs more CPU than the
measured work. These send the same events and validate nothing.
"""

import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, Producer, TopicPartition

from bench.wire import PHASES, BatchIds, Wire
from runtime.settings import Settings
from schemas.topics import PHASE_COMMANDS, Topic

_TAKE = 256
_POLL_S = 0.002
_TIMEOUT_S = 15.0


class _Registered(msgspec.Struct):
    essay_ids: list[str]


class _RegisteredEnvelope(msgspec.Struct):
    data: _Registered


_registered = msgspec.json.Decoder(_RegisteredEnvelope)


@dataclass(slots=True)
class _Batch:
    ids: BatchIds
    essay_ids: list[str] = field(default_factory=list)
    sent_at: float = 0.0
    """When the last event was sent that leads to a command; 0 if no command is expected."""


class PlayedPeers:
    """Registers batches over the request topic and simulates their peers, in the calling thread.

    Each answer is sent after a random time within `delay` (seconds). Without a delay, answers would follow the commit
    interval, each just too late for the next commit.
    """

    def __init__(self, settings: Settings, *, essays: int, run: str, delay: tuple[float, float] = (0.0, 0.0)) -> None:
        self._delay = delay
        self._random = random.Random(run)  # noqa: S311 - a load is seeded, not secret
        self._due: list[tuple[float, str, str, _Batch]] = []
        topics = settings.topics()
        self._wire = Wire("seed", essays)
        self._run = run
        self._names = {what: topics.name(topic) for what, topic in self._wire.topics.items()}
        self._phases = {topics.name(PHASE_COMMANDS[phase]): phase for phase in PHASES}
        self._registered = topics.name(Topic.REGISTERED)
        self._completed = topics.name(Topic.COMPLETED)
        self._producer = Producer({**settings.kafka(), "enable.idempotence": True, "linger.ms": 1})
        self._consumer = Consumer(
            {
                **settings.kafka(),
                "group.id": f"{run}-peers",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._assign_ends((self._registered, *self._phases, self._completed))
        self._batches: dict[bytes, _Batch] = {}
        self._number = 0
        self.ended = 0
        """Number of completed batches."""
        self.latencies: list[tuple[float, float]] = []
        """Times at which commands were read, with the seconds since the event that led to each."""

    @property
    def open(self) -> int:
        """Number of registered batches that are not completed."""
        return len(self._batches)

    def register(self) -> None:
        """Register one more batch."""
        ids = BatchIds.numbered(self._number, self._run)
        self._number += 1
        self._batches[ids.batch_id.encode()] = _Batch(ids)
        self._send("register", self._wire.registration(ids))

    def play(self, until: float, refill: Callable[[], None]) -> None:
        """Answer published records until the monotonic time `until`; `refill` is called in every turn."""
        while time.monotonic() < until:
            refill()
            self._send_due()
            # One at first: consume() alone would wait out its timeout for a full batch.
            first = self._consumer.poll(_POLL_S)
            if first is not None:
                now = time.monotonic()
                for message in [first, *self._consumer.consume(_TAKE, timeout=0)]:
                    self._take(message, now)
            self._producer.poll(0)

    def close(self) -> None:
        """Close the connections."""
        self._producer.flush(_TIMEOUT_S)
        self._consumer.close()

    def _assign_ends(self, names: tuple[str, ...]) -> None:
        known = self._consumer.list_topics(timeout=_TIMEOUT_S).topics
        self._consumer.assign(
            [TopicPartition(name, number, OFFSET_END) for name in names for number in known[name].partitions]
        )
        for at in self._consumer.assignment():
            self._consumer.get_watermark_offsets(at, timeout=_TIMEOUT_S)

    def _take(self, message: Message, now: float) -> None:
        if message.error() is not None:
            raise KafkaException(message.error())
        topic, key = message.topic(), message.key()
        batch = self._batches.get(key)
        if batch is None:
            return  # registered by someone else
        if topic == self._completed:
            self.ended += 1
            del self._batches[key]
            return
        if batch.sent_at:
            self.latencies.append((now, now - batch.sent_at))
        phase = self._phases.get(topic)
        if phase is None:
            batch.essay_ids = _registered.decode(message.value()).data.essay_ids
        answer = (now + self._random.uniform(*self._delay), batch.ids.batch_id, phase or "ready", batch)
        heapq.heappush(self._due, answer)

    def _send_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, what, batch = heapq.heappop(self._due)
            if what == "ready":
                value = self._wire.ready(batch.ids, batch.essay_ids)
            else:
                value = self._wire.outcome(batch.ids, what, batch.essay_ids)
            batch.sent_at = time.monotonic()
            self._send(what, value)

    def _send(self, what: str, value: bytes) -> None:
        self._producer.produce(self._names[what], value)
        self._producer.poll(0)
