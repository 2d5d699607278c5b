"""Examples of inbox, status, history and stored records."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import (
    InboxRecord,
)
from schemas.internal.history import Answer, Change, EffectNote, HistoryRecord, Reason
from schemas.internal.status import Counts, Deadline, FailedEssay, PhaseView, StatusRecord
from schemas.topics import Topic
from state.batch import Batch, DecidedRequest, PhaseRun
from tests.golden.facts import (
    BATCH,
    BODIES,
    CLASS_CONTEXT,
    CORRELATION,
    DEADLINES,
    ESSAYS,
    EVENT,
    FAILURES,
    FINGERPRINT,
    LOST,
    ORIGIN,
    OWNER,
    PIPELINE,
    SEED_CONTEXT,
    TIME,
    TRACE,
    VERSIONS,
)


def inbox_records() -> dict[str, InboxRecord]:
    """Inbox records, of every kind."""
    return {
        f"inbox-{kind}": InboxRecord(**VERSIONS, batch_id=BATCH, origin=ORIGIN, body=body)
        for kind, body in BODIES.items()
    }


def statuses() -> dict[str, StatusRecord]:
    """Status records: one that runs, one that has ended."""
    running = StatusRecord(
        **VERSIONS,
        batch_id=BATCH,
        version=1_041,
        status=BatchStatus.PROCESSING_PIPELINES,
        correlation_id=CORRELATION,
        context=SEED_CONTEXT,
        owner_subject="teacher-001",
        owner_organisation="org-42",
        pipeline="default",
        pipeline_version=1,
        requested_phases=("spellcheck", "cj_assessment"),
        phases={
            "spellcheck": PhaseView(status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=2, started_ms=TIME),
            "cj_assessment": PhaseView(status=PhaseStatus.PENDING_DEPENDENCIES),
        },
        counts=Counts(expected=2, ready=2, succeeded=2),
        registered_ms=TIME - 1_000,
        updated_ms=TIME,
        deadlines=DEADLINES,
    )
    ended = replace(
        running,
        version=1_055,
        status=BatchStatus.FAILED_CRITICALLY,
        context=CLASS_CONTEXT,
        phases={
            "spellcheck": PhaseView(
                status=PhaseStatus.FAILED,
                attempt=1,
                commanded=2,
                failed=1,
                unaccounted=1,
                foreign=1,
                started_ms=TIME,
                completed_ms=TIME + 5,
                reason="failed_critically",
            ),
            "cj_assessment": PhaseView(
                status=PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE, reason="skipped_due_to_dependency_failure"
            ),
        },
        counts=Counts(expected=3, ready=2, unaccounted=1, succeeded=0, failed=2),
        failed_essays=(*LOST, FailedEssay("essay-1", "spellcheck", "unaccounted")),
        file_failures=FAILURES,
        file_failures_total=7,
        reason="no_essays",
        stalled=True,
        ended_ms=TIME + 5,
        deadlines=(Deadline(TIME + 3_024_000_000, DeadlineKind.PURGE),),
    )
    return {"status-running": running, "status-ended": ended, "status-no-clock": replace(ended, deadlines=())}


def histories() -> dict[str, HistoryRecord]:
    """History records: a request, an outcome, and a quarantined record."""
    return {
        "history-registered": HistoryRecord(
            **VERSIONS,
            batch_id=BATCH,
            partition=1,
            offset=1_040,
            time_ms=TIME,
            kind="register",
            disposition=Disposition.APPLIED,
            reason=Reason(code=ReasonCode.REGISTERED, essays=2),
            version=1_040,
            based_on=-1,
            origin=ORIGIN,
            actor=OWNER,
            request_id="request-1",
            changes=(Change(after="awaiting_content_validation"),),
            effects=(EffectNote("batch_registered", EVENT, Topic.REGISTERED.value, "", 0, 2),),
            answer=Answer(
                batch_id=BATCH,
                correlation_id=CORRELATION,
                status=BatchStatus.AWAITING_CONTENT_VALIDATION,
                version=1_040,
            ),
        ),
        "history-outcome": HistoryRecord(
            **VERSIONS,
            batch_id=BATCH,
            partition=1,
            offset=1_055,
            time_ms=TIME,
            kind="phase_concluded",
            disposition=Disposition.APPLIED,
            reason=Reason(
                code=ReasonCode.PHASE_COMPLETED,
                phase="spellcheck",
                attempt=1,
                status="completed_with_partial_success",
                essays=1,
                foreign=0,
                unaccounted=0,
            ),
            version=1_055,
            based_on=1_041,
            origin=ORIGIN,
            changes=(
                Change(phase="spellcheck", before="dispatch_initiated", after="completed_with_partial_success"),
                Change(phase="cj_assessment", before="pending_dependencies", after="dispatch_initiated"),
            ),
            succeeded=1,
            failed=1,
            failed_essays=LOST,
            effects=(EffectNote("command_phase", EVENT, Topic.CJ_ASSESSMENT_COMMAND.value, "cj_assessment", 1, 1),),
        ),
        "history-quarantined": HistoryRecord(
            **VERSIONS,
            batch_id=BATCH,
            partition=1,
            offset=1_056,
            time_ms=TIME,
            kind="",
            disposition=Disposition.QUARANTINED,
            reason=Reason(code=ReasonCode.UNREADABLE_RECORD, detail="not JSON"),
            version=-1,
            based_on=-1,
            dead_letter_id=ids.dead_letter_id("t", 1, 1_056),
        ),
    }


def batches() -> dict[str, Batch]:
    """Stored records: a new batch, a running one with every field set, one that has ended."""
    new = Batch(
        **VERSIONS,
        batch_id=BATCH,
        version=1_040,
        registered_version=1_040,
        status=BatchStatus.AWAITING_CONTENT_VALIDATION,
        owner=OWNER,
        correlation_id=CORRELATION,
        trace_id=TRACE,
        fingerprint=FINGERPRINT,
        expected=2,
        context=SEED_CONTEXT,
        pipeline=PIPELINE,
        requested_phases=("spellcheck", "cj_assessment"),
        phases={
            "spellcheck": PhaseRun(status=PhaseStatus.PENDING_DEPENDENCIES),
            "cj_assessment": PhaseRun(status=PhaseStatus.PENDING_DEPENDENCIES),
        },
        slots=("essay-1", "essay-2"),
        deadlines=(Deadline(TIME + 604_800_000, DeadlineKind.NEVER_PROVISIONED),),
        decided=(DecidedRequest("request-1", FINGERPRINT, Disposition.APPLIED, ReasonCode.REGISTERED),),
        registered_ms=TIME,
        updated_ms=TIME,
    )
    running = replace(
        new,
        version=1_055,
        status=BatchStatus.PROCESSING_PIPELINES,
        context=CLASS_CONTEXT,
        phases={
            "spellcheck": PhaseRun(
                status=PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
                attempt=2,
                only=("essay-1", "essay-2"),
                commanded=2,
                survivors=ESSAYS[:1],
                failed=LOST,
                foreign=1,
                outcomes=("ab" * 16,),
                started_ms=TIME,
                completed_ms=TIME + 5,
            ),
            "cj_assessment": PhaseRun(
                status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=1, started_ms=TIME + 5
            ),
        },
        slots=(),
        essays=ESSAYS,
        ready_count=2,
        ready_digest="cd" * 16,
        provisioned=True,
        file_failures=FAILURES,
        file_failures_total=7,
        validations=("ef" * 16,),
        deadlines=DEADLINES,
        paused_ms=TIME + 7,
        stalled=True,
    )
    ended = replace(
        running,
        status=BatchStatus.FAILED_CRITICALLY,
        essays=(),
        deadlines=(Deadline(TIME + 3_024_000_000, DeadlineKind.PURGE),),
        paused_ms=None,
        stalled=False,
        reason="oversized",
        ended_ms=TIME + 9,
    )
    return {"batch-new": new, "batch-running": running, "batch-ended": ended}
