"""The life of one batch, made by the product itself: examples of every message for the documents.

A class batch of the pipeline `comprehensive` is registered, provisioned, matched with students, run through all phases,
and completed. The same code reads and decides as in the router and the orchestrator, so the examples cannot lag behind.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas import ids
from schemas.errors import Code
from schemas.inbound.normalise import normalise
from schemas.internal.codec import encode
from schemas.internal.dead_letters import DISCARDED, Handled, dead_letter, handled_letter, replayed_letter
from schemas.internal.effects import CommandPhase, Effect, GenericCommand
from schemas.internal.events import Event, InboxRecord, Principal
from schemas.internal.formats import GROUP_START, OPERATION, PROCESS
from schemas.internal.group_starts import GroupStart, KnownTopic
from schemas.internal.history import EffectNote
from schemas.internal.operations import OperationAction, OperationRecord, OperationState, Tally
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.processes import InputPosition, ProcessRecord, ProcessState
from schemas.internal.records import (
    history_outgoing,
    inbox_outgoing,
    operation_outgoing,
    process_outgoing,
    status_outgoing,
)
from schemas.internal.status import StatusRecord
from schemas.outbound.render import render
from schemas.public.registration import RegistrationPolicy
from schemas.public.requests import RequestKind, request_record
from schemas.topics import Topic, TopicTable
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from state.pipelines.loader import load_pipelines

BATCH = "2f5e7b1c-5a0e-4c53-9a2b-0f8f4f1f7d11"
_CORRELATION = "7c9f0b9e-1f43-4f0e-8f8e-3f1f0c2d9b55"
_START_MS = 1_764_165_802_000
_MINUTE_MS = 60_000
_ESSAYS = 3
_PHASES = ("spellcheck", "cj_assessment", "nlp", "ai_feedback")


class Story(Struct, frozen=True, kw_only=True):
    """The records of one life, by topic: the first of each that tells the most."""

    records: dict[Topic, OutgoingRecord]
    generic_command: OutgoingRecord
    """A command of a phase that is not HuleEdu's, on a topic of its own."""
    registered: StatusRecord
    running: StatusRecord
    """While cj_assessment is commanded."""
    ended: StatusRecord


def tell(topics: TopicTable) -> Story:
    """Return the records of the life of one batch, under these topics' names."""
    return _Teller(topics).tell()


class _Teller:
    def __init__(self, topics: TopicTable) -> None:
        self._topics = topics
        self._policy = RegistrationPolicy(pipelines=load_pipelines(None, topics), peer_era="any", topics=topics)
        self._records: dict[Topic, OutgoingRecord] = {}
        self._batch: Batch | None = None
        self._offset = 0
        self._command: CommandPhase | None = None

    def tell(self) -> Story:
        self._read(Topic.REQUESTS, self._request())
        registered = self._status()
        slots = [ids.slot_id(BATCH, registered.version, number) for number in range(_ESSAYS)]
        texts = [{"essay_id": slot, "text_storage_id": f"text-{number}"} for number, slot in enumerate(slots)]
        self._peer(Topic.CONTENT_PROVISIONED, {"batch_id": BATCH, "essays_for_processing": texts})
        ready: dict[str, Any] = {"batch_id": BATCH, "ready_essays": texts, "class_type": "REGULAR"}
        self._peer(Topic.ESSAYS_READY, ready)
        self._peer(Topic.OUTCOME, _outcome("spellcheck", texts[:-1], failed=slots[-1:]))
        running = self._status()
        for phase in _PHASES[1:]:
            self._peer(Topic.OUTCOME, _outcome(phase, texts[:-1]))
        self._others(texts)
        return Story(
            records=self._records,
            generic_command=self._generic_command(),
            registered=registered,
            running=running,
            ended=self._status(),
        )

    def _request(self) -> bytes:
        body = {
            "expected_essay_count": _ESSAYS,
            "course_code": "ENG5",
            "user_id": "teacher-001",
            "class_id": "class-9a",
            "essay_instructions": "Argue for or against school uniforms.",
            "enable_cj_assessment": True,
            "pipeline": "comprehensive",
            "phases": list(_PHASES),
        }
        return request_record(
            request_id="request-1",
            kind=RequestKind.REGISTER,
            batch_id=BATCH,
            principal=Principal(subject="teacher-001", organisation="school-7", scopes=("batches:write",)),
            correlation_id=_CORRELATION,
            body=body,
            now=_time(0),
        )

    def _peer(self, topic: Topic, data: dict[str, Any]) -> None:
        self._read(topic, self._envelope(topic, data))

    def _envelope(self, topic: Topic, data: dict[str, Any]) -> bytes:
        return msgspec.json.encode(
            {
                "event_id": str(UUID(int=self._offset + 1, version=4)),
                "event_type": self._topics.name(topic),
                "event_timestamp": _time(self._offset),
                "source_service": "essay-lifecycle-service",
                "schema_version": 1,
                "correlation_id": _CORRELATION,
                "data": data,
            }
        )

    def _read(self, topic: Topic, value: bytes) -> None:
        """Read a record as the router does, and decide on it as the orchestrator does."""
        at = RecordPosition(self._topics.name(topic), 0, self._offset)
        self._keep(OutgoingRecord(topic, BATCH.encode(), value))
        self._decide(normalise(topic, at, value, {}, self._policy))

    def _decide(self, inbox: InboxRecord) -> None:
        self._keep(inbox_outgoing(inbox))
        self._offset += 1
        event = Event(
            batch_id=BATCH,
            origin=inbox.origin,
            body=inbox.body,
            version=self._offset,
            time_ms=_START_MS + self._offset * _MINUTE_MS,
            partition=0,
            offset=self._offset,
        )
        before, decision = self._batch, decide(self._batch, event)
        self._batch = decision.batch
        published = [self._publish(effect) for effect in decision.effects]
        notes = tuple(
            EffectNote(type(effect).__name__, effect.event_id, str(record.topic))
            for effect, record in zip(decision.effects, published, strict=True)
        )
        self._keep(status_outgoing(self._status()), newest=True)
        self._keep(history_outgoing(history_record(before, event, decision, notes)), newest=bool(notes))

    def _generic_command(self) -> OutgoingRecord:
        assert self._command is not None
        form = GenericCommand(pipeline="essays", pipeline_version=1, deadline_ms=_START_MS + 60 * _MINUTE_MS)
        return render(replace(self._command, phase="plagiarism", generic=form), self._topics)

    def _publish(self, effect: Effect) -> OutgoingRecord:
        if isinstance(effect, CommandPhase) and self._command is None:
            self._command = effect
        record = render(effect, self._topics)
        self._keep(record)
        return record

    def _keep(self, record: OutgoingRecord, *, newest: bool = False) -> None:
        if isinstance(record.topic, Topic) and (newest or record.topic not in self._records):
            self._records[record.topic] = record

    def _status(self) -> StatusRecord:
        assert self._batch is not None
        return status_record(self._batch)

    def _others(self, texts: list[dict[str, str]]) -> None:
        """Add the messages that this life has no use for."""
        detail = {"error_code": "EMPTY_CONTENT", "message": "The file has no text."}
        errors = {
            "batch_id": BATCH,
            "failed_essays": [{"file_name": "essay 3.docx", "error_detail": detail}],
            "error_summary": {"total_errors": 1, "critical_failure": False},
        }
        for topic, data in (
            (Topic.OUTCOME_SEED, _outcome("spellcheck", texts)),
            (Topic.WORKER_OUTCOME, _worker_outcome()),
            (Topic.VALIDATION_ERRORS, errors),
        ):
            self._keep(OutgoingRecord(topic, BATCH.encode(), self._envelope(topic, data)))
        first = RecordPosition(self._topics.name(Topic.OUTCOME), 2, 17, _START_MS)
        letter = dead_letter(value=b"{", key=b"essay-1", first=first, code=Code.NOT_JSON, reason="it is not JSON.")
        letter_id = letter.key.decode()
        handled = Handled(
            state=DISCARDED, letter_offset=4, letter_time_ms=_START_MS, time_ms=_START_MS, by="operator", note="empty"
        )
        self._keep(handled_letter(letter_id, letter.value, letter.headers, handled))
        self._keep(replayed_letter(letter_id, letter.value, letter.headers))
        self._keep(process_outgoing(self._process()))
        requests = self._topics.name(Topic.REQUESTS)
        known = {requests: KnownTopic(id="q8Cxx4FzRnyPZ9dRQn3EWw", partitions=self._topics.partitions)}
        start = GroupStart(
            writer=GROUP_START.version, least_reader=GROUP_START.least_reader, group="batch-router", topics=known
        )
        self._keep(OutgoingRecord(Topic.STARTS, start.group.encode(), encode(start)))

        self._keep(operation_outgoing(self._operation()))

    def _operation(self) -> OperationRecord:
        return OperationRecord(
            writer=OPERATION.version,
            least_reader=OPERATION.least_reader,
            operation_id=str(UUID(int=23, version=4)),
            action=OperationAction.CANCEL,
            principal=Principal(subject="operator", scopes=("batches:write",)),
            reason="a wrong import",
            fingerprint="1:" + "ab" * 32,
            filter="course=ENG5",
            created_ms=_START_MS,
            updated_ms=_START_MS + _MINUTE_MS,
            state=OperationState.RUNNING,
            runner=str(UUID(int=29, version=4)),
            expected=3,
            page=(BATCH,),
            tallies=(Tally("applied", "batch_cancelled", 2),),
        )

    def _process(self) -> ProcessRecord:
        return ProcessRecord(
            writer=PROCESS.version,
            least_reader=PROCESS.least_reader,
            kind="orchestrator",
            instance="0",
            start_id=str(UUID(int=17, version=4)),
            state=ProcessState.RUNNING,
            host="orchestrator-0",
            pid=7,
            version="0.1.0",
            settings_digest="ab" * 32,
            started_ms=_START_MS,
            time_ms=_START_MS + _MINUTE_MS,
            interval_s=3.0,
            alive=True,
            assigned=True,
            restored=True,
            partitions=1,
            lag_s=1.5,
            positions=(InputPosition(self._topics.name(Topic.INBOX), 0, 40, 42, 1.5),),
        )


def _outcome(phase: str, texts: list[dict[str, str]], failed: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "batch_id": BATCH,
        "phase_name": phase,
        "phase_status": "completed_with_failures" if failed else "completed_successfully",
        "processed_essays": texts,
        "failed_essay_ids": list(failed),
    }


def _worker_outcome() -> dict[str, Any]:
    failure = {"reason": "The text is empty.", "retryable": False}
    done = {"essay_id": "essay-1", "text_storage_id": "text-essay-1", "metrics": {"matches": 0}}
    return {
        "batch_id": BATCH,
        "phase": "plagiarism",
        "attempt": 1,
        "status": "completed_with_failures",
        "essays": [done, {"essay_id": "essay-2", "failure": failure}],
    }


def _time(minutes: int) -> datetime:
    return datetime.fromtimestamp(_START_MS / 1_000 + 60 * minutes, UTC)
