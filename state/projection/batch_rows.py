"""A status record as rows of `batches` and `phases`."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason, PhaseStatus
from schemas.internal.status import Deadline, PhaseView, StatusRecord
from state.projection.batch_models import DAY_MS, Attention
from state.projection.sql import text

ENDING_CLOCKS = frozenset({DeadlineKind.PHASE, DeadlineKind.NEVER_PROVISIONED, DeadlineKind.HOLD})
"""Deadlines that fail or end something. The others flag, retry or purge."""


class BatchRow(NamedTuple):
    """A row of `batches`; its fields are the columns."""

    batch_id: str
    version: int
    status: str
    correlation_id: str
    user_id: str | None
    organisation: str | None
    owner_subject: str
    owner_organisation: str
    course: str
    pipeline: str
    stalled: bool
    held: bool
    paused: bool
    missed: bool
    attention: str | None
    attention_until_ms: int | None
    registered_ms: int
    updated_ms: int
    ended_ms: int | None
    next_deadline_ms: int | None


class PhaseRow(NamedTuple):
    """A row of `phases`; its fields are the columns."""

    batch_id: str
    phase: str
    status: str
    registered_ms: int
    started_ms: int | None
    completed_ms: int | None
    essays: int
    lost: int


class Trouble(Struct, frozen=True):
    """Batches that something outside their status record is wrong with."""

    chain_breaks: frozenset[str] = frozenset()
    """Those with a break in the chain of versions."""
    dead_letters: frozenset[str] = frozenset()
    """Those with an open dead letter."""


def batch_row(record: StatusRecord, trouble: Trouble) -> BatchRow:
    """Return the row of a batch."""
    context, batch_id = record.context, text(record.batch_id)
    live = record.ended_ms is None
    status = str(record.status)
    missed = live and any(map(_missed, record.phases.values()))
    why, until_ms = attention(
        batch_id,
        trouble,
        held=record.held,
        stalled=record.stalled,
        missed=missed,
        status=status,
        ended_ms=record.ended_ms,
    )
    return BatchRow(
        batch_id=batch_id,
        version=record.version,
        status=status,
        correlation_id=text(record.correlation_id),
        user_id=None if context.user_id is None else text(context.user_id),
        organisation=None if context.org_id is None else text(context.org_id),
        owner_subject=text(record.owner_subject),
        owner_organisation=text(record.owner_organisation),
        course=text(context.course_code_given),
        pipeline=text(record.pipeline),
        stalled=record.stalled,
        held=record.held,
        paused=record.pause is not None,
        missed=missed,
        attention=why,
        attention_until_ms=until_ms,
        registered_ms=record.registered_ms,
        updated_ms=record.updated_ms,
        ended_ms=record.ended_ms,
        next_deadline_ms=None if (due := ending_deadline(record)) is None else due.due_ms,
    )


def attention(
    batch_id: str, trouble: Trouble, *, held: bool, stalled: bool, missed: bool, status: str, ended_ms: int | None
) -> tuple[str | None, int | None]:
    """Return why a batch needs a person, the first of several reasons, and until when (None: until that changes)."""
    if batch_id in trouble.chain_breaks:
        return Attention.CHAIN_BREAK.value, None
    if batch_id in trouble.dead_letters:
        return Attention.DEAD_LETTER.value, None
    if ended_ms is not None:
        failed = status == BatchStatus.FAILED_CRITICALLY.value
        return (Attention.FAILED.value, ended_ms + DAY_MS) if failed else (None, None)
    for reason, given in ((Attention.HELD, held), (Attention.STALLED, stalled), (Attention.DEADLINE_MISSED, missed)):
        if given:
            return reason.value, None
    return None, None


def ending_deadline(record: StatusRecord) -> Deadline | None:
    """Return the earliest deadline that would fail or end something."""
    return next((clock for clock in record.deadlines if clock.kind in ENDING_CLOCKS), None)


def phase_rows(record: StatusRecord) -> Mapping[str, PhaseRow]:
    """Return the rows of a batch's phases, by phase."""
    batch_id = text(record.batch_id)
    rows = {}
    for name, view in record.phases.items():
        phase = text(name)
        running = view.status is PhaseStatus.DISPATCH_INITIATED
        done = view.succeeded + view.failed + view.unaccounted
        rows[phase] = PhaseRow(
            batch_id=batch_id,
            phase=phase,
            status=str(view.status),
            registered_ms=record.registered_ms,
            started_ms=view.started_ms,
            completed_ms=view.completed_ms,
            essays=max(view.commanded - done, 0) if running else view.commanded,
            lost=view.failed + view.unaccounted,
        )
    return rows


def _missed(view: PhaseView) -> bool:
    failed = view.status in (PhaseStatus.FAILED, PhaseStatus.HELD)
    return failed and view.reason is PhaseReason.DEADLINE_MISSED
