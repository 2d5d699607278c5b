"""A stage for one batch: the real router's transform, the real processor and the played peers, in virtual time.

What it records are the inbox records of the batch, and for each the records that the orchestrator published and the
state that it stored, all as the bytes that were written.
"""

import heapq
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from msgspec import Struct
from quixstreams.context import set_message_context
from quixstreams.models.messagecontext import MessageContext

from peers.core import PeerCore
from peers.options import PeerOptions
from schemas import ids
from schemas.inbound.transform import RecordTransform
from schemas.internal.events import EssayRef, InboxRecord, Origin, OutcomeStatus, PhaseConcluded, Principal
from schemas.internal.formats import INBOX
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.pipeline import Pipelines
from schemas.internal.records import decode_history, inbox_outgoing
from schemas.limits import Limits
from schemas.public.registration import RegistrationPolicy
from schemas.public.requests import RequestKind, request_record
from schemas.topics import PHASE_COMMANDS, Topic, TopicTable
from state.batch import Batch
from state.codec import decode_batch
from state.decision.attempts import essay_ids
from state.pipelines.loader import load_pipelines
from topology.orchestrator.outbox import DESTINATIONS, Outbox
from topology.orchestrator.processor import DecisionProcessor
from topology.timekeeper.firing import deadline_record
from topology.timekeeper.index import ArmedDeadline

START_S = 1_750_000_000.0
FIRST_OFFSET, OFFSETS_APART = 1_000, 7
"""Where the batch's records lie: between them are those of other batches."""
PARTITION = 2
LARGE = 8_388_608
OWNER = Principal(subject="teacher-001", organisation="school-7", scopes=("batches:read", "batches:write"))
TOPICS = TopicTable()


class Published(Struct, frozen=True):
    """A record that a decision published. Bytes of the product are UTF-8, so they are kept as text."""

    topic: str
    key: str
    value: str | None
    headers: tuple[tuple[str, str], ...]


class Recorded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One inbox record and everything that came of it."""

    partition: int
    offset: int
    time_ms: int
    key: str
    inbox: str
    published: tuple[Published, ...]
    state: str | None
    """The stored record after it; None where there is none."""
    largest_state: int = LARGE
    """Bytes that the changelog took when it was recorded."""


class MemoryStore:
    """The store of one batch."""

    def __init__(self, value: bytes | None = None) -> None:
        self.value = value

    def get_bytes(self, _key: bytes) -> bytes | None:
        return self.value

    def set_bytes(self, _key: bytes, value: bytes) -> None:
        self.value = value

    def delete(self, _key: bytes) -> None:
        self.value = None


def process(
    store: MemoryStore, *, partition: int, offset: int, time_ms: int, key: str, inbox: str, largest_state: int = LARGE
) -> Recorded:
    """Let a processor decide one inbox record, and return what came of it."""
    decide = DecisionProcessor(Outbox(TOPICS, dict.fromkeys(DESTINATIONS, LARGE), largest_state))
    topic = TOPICS.name(Topic.INBOX)
    set_message_context(MessageContext(topic=topic, partition=partition, offset=offset, size=len(inbox)))
    try:
        outgoing = decide(inbox.encode(), key.encode(), time_ms, [], store)
    finally:
        set_message_context(None)
    return Recorded(
        partition=partition,
        offset=offset,
        time_ms=time_ms,
        key=key,
        inbox=inbox,
        published=tuple(map(_published, outgoing)),
        state=None if store.value is None else store.value.decode(),
        largest_state=largest_state,
    )


def _published(record: OutgoingRecord) -> Published:
    return Published(
        topic=TOPICS.name(record.topic),
        key=record.key.decode(),
        value=None if record.value is None else record.value.decode(),
        headers=tuple((name, value.decode()) for name, value in record.headers),
    )


class Stage:
    """One batch on the stage."""

    def __init__(
        self,
        batch_id: str,
        options: PeerOptions = PeerOptions(),  # noqa: B008 (frozen)
        *,
        pipelines: Pipelines | None = None,
        silent: Sequence[str] = (),
        largest_state: int = LARGE,
    ) -> None:
        """`silent` are phases that no peer answers."""
        self.batch_id = batch_id
        self.recorded: list[Recorded] = []
        self.now_s = START_S
        self._policy = RegistrationPolicy(pipelines=pipelines or load_pipelines(), topics=TOPICS)
        self._transform = RecordTransform(self._policy, Limits())
        self._largest_state = largest_state
        self._store = MemoryStore()
        self._peers = PeerCore(options)
        self._silent = frozenset(TOPICS.name(PHASE_COMMANDS[phase]) for phase in silent)
        self._waiting: list[tuple[float, int, str, bytes | None, bytes]] = []
        self._order = count()
        self._requests = count(1)

    @property
    def batch(self) -> Batch:
        """The batch as it is stored."""
        assert self._store.value is not None
        return decode_batch(self._store.value)

    def request(self, kind: RequestKind, body: dict[str, Any], *, principal: Principal = OWNER, again: int = 0) -> None:
        """Ask for something now; `again` repeats the request of that number, from 1."""
        number = again or next(self._requests)
        value = request_record(
            request_id=f"00000000-0000-4000-8000-{number:012d}",
            kind=kind,
            batch_id=self.batch_id,
            principal=principal,
            correlation_id=f"11111111-0000-4000-8000-{number:012d}",
            body=body,
            now=datetime.fromtimestamp(self.now_s, UTC),
        )
        self.arrive(TOPICS.name(Topic.REQUESTS), self.batch_id.encode(), value)

    def register(self, body: dict[str, Any], **more: Any) -> None:
        """Register the batch."""
        self.request(RequestKind.REGISTER, body, **more)

    def play(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let the peers send what they have to send, in the order of its time, until nothing is left or `until`."""
        while self._waiting and not until():
            at, _, topic, key, value = heapq.heappop(self._waiting)
            self.now_s = max(self.now_s, at)
            self.arrive(topic, key, value)

    def arrive(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Let a record arrive on an input topic."""
        at = RecordPosition(topic, 0, len(self.recorded), int(self.now_s * 1000))
        outgoing = self._transform.apply(TOPICS.topic(topic), at, key, value, {})
        assert outgoing.topic is Topic.INBOX, dict(outgoing.headers)
        assert outgoing.value is not None
        self.append(outgoing.value.decode(), key=outgoing.key.decode())

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    def reach_deadline(self, due_ms: int | None = None) -> None:
        """Let time pass up to the batch's next deadline, and the timekeeper fire it; or fire the one given, now."""
        if due_ms is None:
            due_ms = self.batch.deadlines[0].due_ms
            self.now_s = max(self.now_s, due_ms / 1000 + 0.05)
        key = self.batch_id.encode()
        entry = ArmedDeadline(PARTITION, key, due_ms, due_ms, offset=len(self.recorded), fired=0)
        outgoing = deadline_record(entry, TOPICS.name(Topic.STATUS))
        assert outgoing.value is not None
        self.append(outgoing.value.decode())

    def conclude(self, phase: str, *, failed: int = 0, attempt: int | None = None, retryable: bool = True) -> None:
        """Let a worker that echoes attempts report the last attempt of a phase, or the one given.

        The first `failed` of its essays failed, all others succeeded.
        """
        self.wait(30.0)
        number = attempt or len(self.batch.phases[phase].attempts)
        commanded = self.batch.phases[phase].attempts[number - 1].essays
        essays = list(essay_ids(self.batch))
        if commanded is not None:
            essays = [essays[index] for index in commanded]
        ok = essays[failed:]
        body = PhaseConcluded(
            phase=phase,
            status=OutcomeStatus.SUCCEEDED_WITH_FAILURES if failed else OutcomeStatus.SUCCEEDED,
            essays=tuple(EssayRef(essay_id, f"{phase}-{number}-{essay_id[:8]}") for essay_id in ok),
            failed_essay_ids=tuple(essays[:failed]),
            attempt=number,
            retryable=retryable,
        )
        offset = len(self.recorded)
        origin = Origin(
            event_id=ids.record_id("worker.outcomes", 0, offset),
            event_type="outcome",
            topic="worker.outcomes",
            partition=0,
            offset=offset,
            source="worker",
        )
        record = InboxRecord(
            writer=INBOX.version,
            least_reader=INBOX.least_reader,
            batch_id=self.batch_id,
            origin=origin,
            body=body,
        )
        outgoing = inbox_outgoing(record)
        assert outgoing.value is not None
        self.append(outgoing.value.decode())

    def append(self, inbox: str, *, key: str | None = None) -> None:
        """Append a record to the inbox, decide it, and hand what was published to the peers."""
        done = process(
            self._store,
            partition=PARTITION,
            offset=FIRST_OFFSET + OFFSETS_APART * len(self.recorded),
            time_ms=int(self.now_s * 1000),
            key=self.batch_id if key is None else key,
            inbox=inbox,
            largest_state=self._largest_state,
        )
        self.recorded.append(done)
        for record in done.published:
            if record.topic in self._peers.topics and record.topic not in self._silent:
                self._tell(record)

    def dispositions(self) -> list[str]:
        """Return what came of each inbox record."""
        return [history.disposition.value for history in map(history_of, self.recorded)]

    def _tell(self, record: Published) -> None:
        headers = [(name, value.encode()) for name, value in record.headers]
        value = (record.value or "").encode()
        for send in self._peers.on_message(record.topic, record.key.encode(), value, headers, self.now_s):
            heapq.heappush(self._waiting, (send.at, next(self._order), send.topic, send.key, send.value))


def history_of(recorded: Recorded) -> Any:
    """Return the history record of an inbox record."""
    [value] = [record.value for record in recorded.published if record.topic == TOPICS.name(Topic.HISTORY)]
    assert value is not None
    return decode_history(value.encode())
