"""Simulated peers at full speed: they answer every published record at once, and measure the latency of commands.

The simulated peers of the demo validate all records against the eras' JSON schemas, which costs more CPU than the
measured work. These send the same events and validate nothing.
"""

import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, Producer, TopicPartition

from bench.wire import EVENTS_PER_BATCH, PHASES, BatchIds, Wire
from bench.workplace import ProcessEnded
from runtime.settings import Settings
from schemas.topics import PHASE_COMMANDS, Topic

_TAKE = 256
_POLL_S = 0.002
_TIMEOUT_S = 15.0
_FIRST_END_S = 600.0


class _Registered(msgspec.Struct):
    essay_ids: list[str]


class _RegisteredEnvelope(msgspec.Struct):
    data: _Registered


_registered = msgspec.json.Decoder(_RegisteredEnvelope)


class Answer(NamedTuple):
    """A command that was read, and the event that led to it. Times are Unix times in seconds."""

    batch_id: str
    event: str
    """The event, by its step in the batch."""
    sent_s: float
    appended_s: float
    """The time that the command's record bears."""
    read_s: float

    @property
    def took_s(self) -> float:
        """Seconds from sending the event to reading its command."""
        return self.read_s - self.sent_s


@dataclass(slots=True)
class _Batch:
    ids: BatchIds
    essay_ids: list[str] = field(default_factory=list)
    sent: str = ""
    """The event that was sent and leads to a command that was not read yet; empty if there is none."""
    sent_s: float = 0.0


class Pace:
    """Registers batches at a steady rate, whether the product keeps up or not."""

    def __init__(self, peers: "PlayedPeers", decisions_per_second: float) -> None:
        self._peers = peers
        self._gap_s = EVENTS_PER_BATCH / decisions_per_second
        self._due = time.monotonic()

    def __call__(self) -> None:
        """Register what is due."""
        while self._due <= time.monotonic():
            self._peers.register()
            self._due += self._gap_s


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
        self.answers: list[Answer] = []
        """Commands that were read."""

    @property
    def open(self) -> int:
        """Number of registered batches that are not completed."""
        return len(self._batches)

    def unanswered(self, since_s: float, until_s: float) -> int:
        """Return how many events that were sent between two Unix times still wait for their command."""
        return sum(bool(each.sent) and since_s <= each.sent_s < until_s for each in self._batches.values())

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
                now = time.time()
                for message in [first, *self._consumer.consume(_TAKE, timeout=0)]:
                    self._take(message, now)
            self._producer.poll(0)

    def warm_up(self, seconds: float, refill: Callable[[], None]) -> None:
        """Answer for at least so long, and until a batch is completed. Raises `ProcessEnded` where none ever is."""
        deadline = time.monotonic() + _FIRST_END_S
        ended = self.ended
        self.play(time.monotonic() + seconds, refill)
        while self.ended == ended:
            if time.monotonic() > deadline:
                raise ProcessEnded(f"no batch was completed in {_FIRST_END_S:.0f} s; {self.open} are open")
            self.play(time.monotonic() + _POLL_S, refill)

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
        if batch.sent:
            appended_s = message.timestamp()[1] / 1_000
            self.answers.append(Answer(batch.ids.batch_id, batch.sent, batch.sent_s, appended_s, now))
            batch.sent = ""
        phase = self._phases.get(topic)
        if phase is None:
            batch.essay_ids = _registered.decode(message.value()).data.essay_ids
        answer = (time.monotonic() + self._random.uniform(*self._delay), batch.ids.batch_id, phase or "ready", batch)
        heapq.heappush(self._due, answer)

    def _send_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, what, batch = heapq.heappop(self._due)
            if what == "ready":
                value = self._wire.ready(batch.ids, batch.essay_ids)
            else:
                value = self._wire.outcome(batch.ids, what, batch.essay_ids)
            batch.sent, batch.sent_s = ("" if what == PHASES[-1] else what), time.time()
            self._send(what, value)

    def _send(self, what: str, value: bytes) -> None:
        self._producer.produce(self._names[what], value)
        self._producer.poll(0)
