"""A product with a history, for the browser tests and for screenshots: real decisions in a real projection.

The cluster is in memory; what is appended to it is in the projection at once. Time stands still at `NOW_MS`, and goes
on by a second with each decision that is made later.
"""

from pathlib import Path

from msgspec.structs import replace

from api.kafka_log.kafka_log import LogRecord
from api.queries.projection import DatabaseProjection
from runtime.kafka.partition_reader import KafkaRecord
from schemas.ids import derived_id
from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect
from schemas.internal.events import Event, InboxRecord, Origin, PauseBatch, ResumeBatch
from schemas.internal.formats import INBOX
from schemas.internal.history import EffectNote
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import history_outgoing, inbox_outgoing, operation_outgoing, status_outgoing
from schemas.topics import Topic, TopicTable
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from state.projection import Identity, ProjectedRecord, Writer, open_engine
from tests.browser.letters import letters
from tests.browser.operations import operations
from tests.browser.stories import NOW_MS, OPERATOR, PIPELINES, BrowserStory, stories
from tests.unit.api.memory import MemoryCluster

IDENTITY = Identity("browser", "inbox")


class SeededCluster(MemoryCluster):
    """A cluster in memory whose records are in a SQLite projection as soon as they are appended."""

    def __init__(self, database: Path) -> None:
        super().__init__(partitions=4)
        self.policy = replace(self.policy, pipelines=PIPELINES)
        self.url = f"sqlite:///{database}"
        self._writer = Writer(open_engine(self.url))
        self._writer.prepare(IDENTITY)
        self._now_ms = NOW_MS
        self._pending: list[ProjectedRecord] | None = None
        self._asked = 0
        self.stories: list[BrowserStory] = []

    def projection(self) -> DatabaseProjection:
        """Return the projection as the api reads it."""
        return DatabaseProjection(self.url, lambda: IDENTITY, timeout_s=30.0)

    def append(self, outgoing: OutgoingRecord, *, marker: bool = True) -> LogRecord:
        """Write a record, and project it."""
        return self.append_at(outgoing, self._now_ms, marker=marker)

    def append_at(self, outgoing: OutgoingRecord, time_ms: int, *, marker: bool = True) -> LogRecord:
        """Write a record that has this append time, and project it."""
        with self.arrived:
            record = replace(super().append(outgoing, marker=marker), time_ms=time_ms)
            self.logs[record.partition][-1] = record
        self._project(record)
        return record

    def decide_inbox(self, inbox: InboxRecord) -> None:
        """Decide on a record, a second after the last one."""
        self._now_ms += 1_000
        newest = max((record.offset for record in self.inbox), default=0)
        event = Event(
            batch_id=inbox.batch_id,
            origin=inbox.origin,
            body=inbox.body,
            version=newest + 1,
            time_ms=self._now_ms,
            partition=0,
            offset=newest + 1,
        )
        self.take(self.batches.get(inbox.batch_id), event)

    def ask(self, batch_id: str, body: type[PauseBatch | ResumeBatch], reason: str = "") -> None:
        """Let somebody ask for something, and decide on it."""
        self._asked += 1
        request_id = derived_id(f"browser ask {self._asked}")
        self.decide_inbox(
            InboxRecord(
                writer=INBOX.version,
                least_reader=INBOX.least_reader,
                batch_id=batch_id,
                origin=Origin(
                    event_id=request_id, event_type="request", topic="requests", partition=0, offset=self._asked
                ),
                body=body(
                    request_id=request_id,
                    principal=OPERATOR,
                    correlation_id=request_id,
                    fingerprint=f"1:{request_id}",
                    reason=reason,
                ),
            )
        )

    def take(self, before: Batch | None, event: Event) -> None:
        """Write an event to the inbox, and what is decided on it to status and history."""
        stored = inbox_outgoing(
            InboxRecord(
                writer=INBOX.version,
                least_reader=INBOX.least_reader,
                batch_id=event.batch_id,
                origin=event.origin,
                body=event.body,
            )
        )
        name = TopicTable().name(Topic.INBOX)
        self.inbox.append(KafkaRecord(name, 0, event.offset, stored.key, stored.value, (), event.time_ms))
        decision = decide(before, event)
        if decision.batch is not None:
            self.batches[event.batch_id] = decision.batch
            if decision.batch is not before:
                self.append_at(status_outgoing(status_record(decision.batch)), event.time_ms)
        notes = tuple(map(_note, decision.effects))
        self.append_at(history_outgoing(history_record(before, event, decision, notes)), event.time_ms)

    def fill(self) -> None:
        """Let everything happen that has happened before `NOW_MS`."""
        self._pending = []
        self.stories = list(stories())
        happened = sorted(
            ((told.event.time_ms, told.event.offset, told) for story in self.stories for told in story.told),
            key=lambda each: each[:2],
        )
        for _, _, told in happened:
            self.take(told.before, told.event)
        for found, done in letters(self.stories):
            letter = found.letter()
            record = self.append_at(letter, found.time_ms)
            if done:
                self.append_at(found.handled(letter, record.offset, done), found.time_ms + 120_000)
        for operation in operations(self.stories):
            self.append_at(operation_outgoing(operation), operation.updated_ms)
        pending, self._pending = self._pending, None
        self._writer.apply(pending)

    def _project(self, record: LogRecord) -> None:
        if record.partition.topic not in (Topic.STATUS, Topic.HISTORY, Topic.DEAD_LETTERS):
            return
        projected = ProjectedRecord(
            record.partition.topic,
            record.partition.number,
            record.offset,
            record.time_ms,
            record.key,
            record.value,
            tuple(record.headers.items()),
        )
        if self._pending is None:
            self._writer.apply([projected])
        else:
            self._pending.append(projected)


def _note(effect: Effect) -> EffectNote:
    kind = str(effect.__struct_config__.tag)
    if isinstance(effect, CommandPhase):
        topic = f"huleedu.batch.{effect.phase}.initiate.command.v1"
        return EffectNote(kind, effect.event_id, topic, effect.phase, effect.attempt, len(effect.essays))
    essays = len(effect.essays) if isinstance(effect, CommandStudentMatching) else 0
    return EffectNote(kind, effect.event_id, f"huleedu.batch.{kind}.v1", essays=essays)
