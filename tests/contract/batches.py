"""Batches brought about the real way: public request, normalised, decided."""

from datetime import UTC, datetime
from typing import Any

from schemas.inbound.normalise import normalise
from schemas.internal.events import (
    Body,
    EssayRef,
    EssaysReady,
    Event,
    InboxRecord,
    OutcomeStatus,
    PhaseConcluded,
    Principal,
)
from schemas.internal.outgoing import RecordPosition
from schemas.public.registration import RegistrationPolicy
from schemas.public.requests import request_record
from schemas.topics import Topic
from state.batch import Batch
from state.decision.decide import decide
from state.decision.result import Decision
from state.pipelines.loader import load_pipelines

POLICY = RegistrationPolicy(pipeline=load_pipelines())
AT = RecordPosition("anywhere", 2, 17)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SEED_BODY = {
    "expected_essay_count": 3,
    "course_code": "SV1",
    "class_designation": "Class 9A",
    "teacher_name": "Ms Berg",
    "essay_instructions": "Argue for or against school uniforms.",
}


def registration(batch_id: str, body: dict[str, Any], request_id: str = "first") -> InboxRecord:
    """The inbox record of a registration."""
    record = request_record(
        request_id=request_id,
        kind="register",
        batch_id=batch_id,
        principal=Principal(),
        correlation_id="4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        body=body,
        now=NOW,
    )
    return normalise(Topic.REQUESTS, AT, record, {}, POLICY)


class Telling:
    """One batch, told event by event."""

    def __init__(self, batch_id: str, body: dict[str, Any]) -> None:
        self.batch: Batch | None = None
        self.batch_id = batch_id
        self.origin = registration(batch_id, body).origin
        self.steps: list[tuple[Batch | None, Decision, Event]] = []
        registered = self.tell(registration(batch_id, body).body).batch
        self.slots: tuple[str, ...] = registered.slots if registered is not None else ()

    def tell(self, body: Body) -> Decision:
        """Decide on the next event."""
        offset = len(self.steps)
        event = Event(
            batch_id=self.batch_id,
            origin=self.origin,
            body=body,
            version=offset,
            time_ms=1_750_062_600_000 + offset,
            partition=0,
            offset=offset,
        )
        decision = decide(self.batch, event)
        self.steps.append((self.batch, decision, event))
        self.batch = decision.batch
        return decision

    def ready(self, count: int) -> Decision:
        """Tell that the first `count` essays are ready."""
        return self.tell(EssaysReady(essays=tuple(EssayRef(slot, f"upload-{slot}") for slot in self.slots[:count])))

    def outcome(self, phase: str, texts: dict[str, str]) -> Decision:
        """Tell that `phase` succeeded; `texts` are the new text references by essay."""
        essays = tuple(EssayRef(essay_id, text) for essay_id, text in texts.items())
        status = OutcomeStatus.SUCCEEDED
        return self.tell(PhaseConcluded(phase=phase, status=status, essays=essays, failed_essay_ids=()))
