"""Batches in every state that pages show, at a fixed time."""

from typing import Any

from schemas.internal.enums import BatchStatus, DeadlineKind, LostReason, PhaseReason, PhaseStatus
from schemas.internal.events import BatchContext
from schemas.internal.status import Counts, Deadline, FailedEssay, Pause, PhaseView, StatusRecord

NOW = 1_795_442_602_120
"""2026-11-23 14:03:22.120Z."""
MINUTE = 60_000
HOUR = 60 * MINUTE
P = PhaseStatus


def phase(status: PhaseStatus = P.PENDING_DEPENDENCIES, **facts: Any) -> PhaseView:
    return PhaseView(status=status, **facts)


def batch(name: str = "7f3a2c91", **facts: Any) -> StatusRecord:
    """Return a batch in its second phase, changed by `facts`."""
    given: dict[str, Any] = {
        "writer": 1,
        "least_reader": 1,
        "batch_id": f"{name}-4d0e-4c55-9a51-0242ac120002",
        "version": 18_812,
        "status": BatchStatus.PROCESSING_PIPELINES,
        "correlation_id": f"{name}-0000-4000-8000-00000000c0de",
        "context": BatchContext(
            course_code="ENG5",
            course_code_given="ENG5",
            language="en",
            class_designation="9A",
            teacher_name="Ms Berg",
            essay_instructions="Argue for or against school uniforms.",
        ),
        "owner_subject": "berg",
        "owner_organisation": "north-school",
        "pipeline": "huleedu",
        "pipeline_version": 1,
        "requested_phases": ("spellcheck", "cj_assessment", "nlp"),
        "phases": {
            "spellcheck": phase(
                P.COMPLETED_WITH_PARTIAL_SUCCESS,
                attempt=1,
                commanded=25,
                succeeded=24,
                failed=1,
                started_ms=NOW - 44 * MINUTE,
                completed_ms=NOW - 41 * MINUTE,
            ),
            "cj_assessment": phase(P.DISPATCH_INITIATED, attempt=1, commanded=24, started_ms=NOW - 41 * MINUTE),
            "nlp": phase(),
            "ai_feedback": phase(P.SKIPPED_BY_USER_CONFIG, reason=PhaseReason.NOT_REQUESTED),
        },
        "counts": Counts(expected=25, ready=25, succeeded=24, failed=1),
        "failed_essays": (FailedEssay("essay-07", "spellcheck", LostReason.FAILED, "the text is empty"),),
        "registered_ms": NOW - 47 * MINUTE,
        "updated_ms": NOW - 41 * MINUTE,
        "deadlines": (Deadline(NOW + 23 * HOUR, DeadlineKind.PHASE, "cj_assessment", 1),),
    }
    return StatusRecord(**given | facts)


def stalled() -> StatusRecord:
    phases = batch().phases | {
        "cj_assessment": phase(
            P.DISPATCH_INITIATED, attempt=1, commanded=24, started_ms=NOW - 41 * MINUTE, stalled=True
        )
    }
    return batch("a1b2c3d4", stalled=True, phases=phases)


def held() -> StatusRecord:
    phases = batch().phases | {
        "cj_assessment": phase(
            P.HELD,
            attempt=2,
            commanded=24,
            failed=24,
            started_ms=NOW - 30 * MINUTE,
            completed_ms=NOW - 12 * MINUTE,
            reason=PhaseReason.PEER_FAILED,
        )
    }
    due = (Deadline(NOW + 6 * 24 * HOUR, DeadlineKind.HOLD, "cj_assessment", 2),)
    return batch("b2c3d4e5", held=True, phases=phases, deadlines=due, updated_ms=NOW - 12 * MINUTE)


def paused() -> StatusRecord:
    pause = Pause(since_ms=NOW - 9 * MINUTE, by="operator-1", reason="the peer is being upgraded")
    return batch("c3d4e5f6", pause=pause, deadlines=(), updated_ms=NOW - 9 * MINUTE)


def retrying() -> StatusRecord:
    phases = batch().phases | {
        "cj_assessment": phase(
            P.WAITING_TO_RETRY,
            attempt=1,
            commanded=24,
            failed=24,
            started_ms=NOW - 8 * MINUTE,
            completed_ms=NOW - MINUTE,
            reason=PhaseReason.PEER_FAILED,
            retry_due_ms=NOW + MINUTE,
        )
    }
    return batch("d4e5f607", phases=phases, updated_ms=NOW - MINUTE)


def waiting() -> StatusRecord:
    phases = {name: phase() for name in ("spellcheck", "cj_assessment")}
    return batch(
        "e5f60718",
        status=BatchStatus.AWAITING_CONTENT_VALIDATION,
        phases=phases,
        requested_phases=tuple(phases),
        counts=Counts(expected=30),
        failed_essays=(),
        registered_ms=NOW - 3 * MINUTE,
        updated_ms=NOW - 3 * MINUTE,
        deadlines=(Deadline(NOW + 7 * 24 * HOUR, DeadlineKind.NEVER_PROVISIONED),),
    )


def ended(status: BatchStatus = BatchStatus.COMPLETED_SUCCESSFULLY, name: str = "f6071829") -> StatusRecord:
    how = {
        BatchStatus.COMPLETED_SUCCESSFULLY: P.COMPLETED_SUCCESSFULLY,
        BatchStatus.COMPLETED_WITH_FAILURES: P.COMPLETED_WITH_PARTIAL_SUCCESS,
        BatchStatus.FAILED_CRITICALLY: P.FAILED,
        BatchStatus.CANCELLED: P.CANCELLED,
    }[status]
    lost = 0 if how is P.COMPLETED_SUCCESSFULLY else 2
    last = phase(
        how,
        attempt=1,
        commanded=25,
        succeeded=25 - lost,
        failed=lost,
        started_ms=NOW - 70 * MINUTE,
        completed_ms=NOW - 64 * MINUTE,
    )
    first = phase(
        P.COMPLETED_SUCCESSFULLY,
        attempt=1,
        commanded=25,
        succeeded=25,
        started_ms=NOW - 75 * MINUTE,
        completed_ms=NOW - 70 * MINUTE,
    )
    return batch(
        name,
        status=status,
        phases={"spellcheck": first, "cj_assessment": last},
        requested_phases=("spellcheck", "cj_assessment"),
        counts=Counts(expected=25, ready=25, succeeded=25 - lost, failed=lost),
        failed_essays=(),
        registered_ms=NOW - 78 * MINUTE,
        updated_ms=NOW - 64 * MINUTE,
        ended_ms=NOW - 64 * MINUTE,
        deadlines=(Deadline(NOW + 35 * 24 * HOUR, DeadlineKind.PURGE),),
    )


def every() -> tuple[StatusRecord, ...]:
    """Return one batch in each state."""
    return (
        waiting(),
        batch(),
        stalled(),
        held(),
        paused(),
        retrying(),
        ended(),
        ended(BatchStatus.COMPLETED_WITH_FAILURES, "07182930"),
        ended(BatchStatus.FAILED_CRITICALLY, "18293041"),
        ended(BatchStatus.CANCELLED, "29304152"),
    )
