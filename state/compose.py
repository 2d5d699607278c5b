"""Composing an event that has not happened: what a batch would become if a peer said this next, or time passed.

Pure. The event is made from the batch as it is and decided like any other; nothing is sent.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from schemas.internal.events import (
    Body,
    ContentProvisioned,
    DeadlineReached,
    EssayRef,
    EssaysReady,
    Event,
    FileFailure,
    Origin,
    OutcomeStatus,
    PhaseConcluded,
)
from schemas.internal.history import HistoryRecord
from state.batch import Batch
from state.decision.attempts import commanded, essay_ids, inputs, running_attempt, slots_of
from state.decision.decide import decide
from state.decision.graph import definition_of
from state.decision.records import effect_note, history_record
from state.decision.result import Decision

_NEW_TEXT = "composed"


class NextEvent(Struct, frozen=True, kw_only=True):
    """What happens next, in the terms of a person."""

    event: Literal["outcome", "ready", "provisioned", "deadline"]
    """`deadline`: the batch's next deadline is reached."""
    phase: str = ""
    """Of an outcome: the phase that it is about."""
    failed: int = 0
    """Essays that failed in the phase; of `ready`, files that failed validation."""
    unaccounted: int = 0
    """Essays that the event does not name."""


class Imagined(NamedTuple):
    """The decision on an event that has not happened."""

    event: Event
    decision: Decision
    history: HistoryRecord


def imagine(batch: Batch, asked: NextEvent, now_ms: int) -> Imagined:
    """Return what would be decided if the event came at `now_ms` (Unix milliseconds), or when the deadline is due."""
    body, time_ms = _body(batch, asked, now_ms)
    event = Event(
        batch_id=batch.batch_id,
        origin=Origin(event_id="", event_type="composed", topic="", partition=0, offset=0),
        body=body,
        version=batch.version + 1,
        time_ms=max(time_ms, batch.updated_ms),
        partition=0,
        offset=0,
    )
    decision = decide(batch, event)
    return Imagined(event, decision, history_record(batch, event, decision, tuple(map(effect_note, decision.effects))))


def _body(batch: Batch, asked: NextEvent, now_ms: int) -> tuple[Body, int]:
    match asked.event:
        case "outcome":
            return _outcome(batch, asked), now_ms
        case "ready":
            failures = tuple(FileFailure("composed", "imagined") for _ in range(asked.failed))
            return EssaysReady(essays=_content(batch, asked), failures=failures), now_ms
        case "provisioned":
            return ContentProvisioned(essays=_content(batch, asked)), now_ms
        case "deadline":
            due = [] if batch.pause is not None else [each.due_ms for each in batch.deadlines]
            first = min(due, default=now_ms)
            return DeadlineReached(due_ms=first), max(now_ms, first)


def _content(batch: Batch, asked: NextEvent) -> tuple[EssayRef, ...]:
    named = max(0, batch.expected - asked.failed - asked.unaccounted)
    return tuple(EssayRef(slot, _NEW_TEXT) for slot in slots_of(batch)[:named])


def _outcome(batch: Batch, asked: NextEvent) -> PhaseConcluded:
    """Return the outcome of the running attempt; of a phase that does not run, one about all its inputs."""
    essays: tuple[str, ...] = ()
    attempt: int | None = None
    if asked.phase in batch.phases and not batch.status.terminal:
        running = running_attempt(batch.phases[asked.phase])
        known = essay_ids(batch)
        indexes = inputs(batch, asked.phase) if running is None else commanded(batch, running)
        essays = tuple(known[index] for index in indexes)
        if running is not None and definition_of(batch, asked.phase).echoes_attempt:
            attempt = running.number
    failed, kept = essays[: asked.failed], essays[asked.failed + asked.unaccounted :]
    partly = OutcomeStatus.SUCCEEDED_WITH_FAILURES if failed or asked.unaccounted else OutcomeStatus.SUCCEEDED
    return PhaseConcluded(
        phase=asked.phase,
        status=partly if kept else OutcomeStatus.FAILED,
        essays=tuple(EssayRef(essay, _NEW_TEXT) for essay in kept),
        failed_essay_ids=failed,
        attempt=attempt,
    )
