"""Examples of inbox, status, history and stored records."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal import formats
from schemas.internal.enums import (
    BatchStatus,
    DeadlineKind,
    Disposition,
    LostReason,
    PhaseReason,
    PhaseStatus,
    ReasonCode,
)
from schemas.internal.events import (
    InboxRecord,
)
from schemas.internal.history import Answer, Change, EffectNote, HistoryRecord, Reason
from schemas.internal.status import Counts, Deadline, FailedEssay, Pause, PhaseView, StatusRecord
from schemas.topics import Topic
from state.batch import Attempt, Batch, DecidedRequest, Essay, LostEssay, PhaseRun
from tests.golden.facts import (
    BATCH,
    BODIES,
    CLASS_CONTEXT,
    CORRELATION,
    DEADLINES,
    EVENT,
    FAILURES,
    FINGERPRINT,
    LOST,
    METRICS,
    ORIGIN,
    OWNER,
    PIPELINE,
    SEED_CONTEXT,
    TIME,
    TRACE,
    versions,
)


def inbox_records() -> dict[str, InboxRecord]:
    """Inbox records, of every kind."""
    return {
        f"inbox-{kind}": InboxRecord(**versions(formats.INBOX), batch_id=BATCH, origin=ORIGIN, body=body)
        for kind, body in BODIES.items()
    }


def statuses() -> dict[str, StatusRecord]:
    """Status records: one that runs, one that is paused, one that waits for a person and a retry, one that ended."""
    running = StatusRecord(
        **versions(formats.STATUS),
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
                reason=PhaseReason.PEER_FAILED,
            ),
            "cj_assessment": PhaseView(
                status=PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE, reason=PhaseReason.DEPENDENCY_FAILED
            ),
        },
        counts=Counts(expected=3, ready=2, unaccounted=1, succeeded=0, failed=2),
        failed_essays=(*LOST, FailedEssay("essay-1", "spellcheck", LostReason.UNACCOUNTED)),
        file_failures=FAILURES,
        file_failures_total=7,
        reason=ReasonCode.NO_ESSAYS,
        ended_ms=TIME + 5,
        deadlines=(Deadline(TIME + 3_024_000_000, DeadlineKind.PURGE),),
    )
    paused = replace(running, deadlines=(), pause=Pause(since_ms=TIME, by="teacher-001", reason="holiday"))
    waiting = replace(
        running,
        phases={
            "spellcheck": PhaseView(
                status=PhaseStatus.WAITING_TO_RETRY,
                attempt=1,
                commanded=2,
                succeeded=1,
                failed=1,
                started_ms=TIME,
                reason=PhaseReason.PARTIAL_FAILURE,
                retry_due_ms=TIME + 60_000,
            ),
            "nlp": PhaseView(status=PhaseStatus.HELD, attempt=1, commanded=2, failed=2, started_ms=TIME),
            "cj_assessment": PhaseView(
                status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=2, started_ms=TIME, stalled=True
            ),
        },
        stalled=True,
        held=True,
        deadlines=(Deadline(TIME + 60_000, DeadlineKind.RETRY_BACKOFF, "spellcheck", 1),),
    )
    return {
        "status-running": running,
        "status-paused": paused,
        "status-waiting": waiting,
        "status-ended": ended,
        "status-no-clock": replace(ended, deadlines=()),
    }


def histories() -> dict[str, HistoryRecord]:
    """History records: a request, an outcome, and a quarantined record."""
    return {
        "history-registered": HistoryRecord(
            **versions(formats.HISTORY),
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
            **versions(formats.HISTORY),
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
        "history-oversized": HistoryRecord(
            **versions(formats.HISTORY),
            batch_id=BATCH,
            partition=1,
            offset=1_055,
            time_ms=TIME,
            kind="phase_concluded",
            disposition=Disposition.APPLIED,
            reason=Reason(code=ReasonCode.OVERSIZED, what="the stored record", size=9_000_000, limit=8_387_584),
            version=1_055,
            based_on=1_041,
        ),
        "history-retry": HistoryRecord(
            **versions(formats.HISTORY),
            batch_id=BATCH,
            partition=1,
            offset=1_055,
            time_ms=TIME,
            kind="phase_concluded",
            disposition=Disposition.APPLIED,
            reason=Reason(code=ReasonCode.RETRY_SCHEDULED, phase="spellcheck", attempt=1, due_ms=TIME + 60_000),
            version=1_055,
            based_on=1_041,
        ),
        "history-quarantined": HistoryRecord(
            **versions(formats.HISTORY),
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
        **versions(formats.BATCH),
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
                attempts=(
                    Attempt(
                        number=1,
                        commanded_ms=TIME - 9,
                        concluded_ms=TIME - 5,
                        outcomes=("12" * 16,),
                        lost=(LostEssay(0, LostReason.NO_OUTCOME), LostEssay(1, LostReason.NO_OUTCOME)),
                        reason=PhaseReason.DEADLINE_MISSED,
                        superseded=True,
                    ),
                    Attempt(
                        number=2,
                        essays=(0, 1),
                        commanded_ms=TIME,
                        concluded_ms=TIME + 5,
                        outcomes=("ab" * 16,),
                        lost=(LostEssay(1, LostReason.FAILED, False, "no text layer"),),  # noqa: FBT003
                        foreign=1,
                    ),
                ),
                texts={0: "text-3"},
                metrics={0: METRICS},
            ),
            "cj_assessment": PhaseRun(
                status=PhaseStatus.DISPATCH_INITIATED,
                attempts=(Attempt(number=1, essays=(0,), commanded_ms=TIME + 5),),
                selection=(0, 1),
                stalled=True,
                reason=PhaseReason.PEER_FAILED,
                commanded=1,
            ),
        },
        essays=(Essay(0, "text-1"), Essay(1, "text-2")),
        metrics={1: METRICS},
        ready_count=2,
        ready_digest="cd" * 16,
        provisioned=True,
        file_failures=FAILURES,
        file_failures_total=7,
        validations=("ef" * 16,),
        deadlines=DEADLINES,
        pause=Pause(since_ms=TIME + 7, by="teacher-001", reason="holiday"),
    )
    ended = replace(
        running,
        status=BatchStatus.FAILED_CRITICALLY,
        essays=(Essay(1, ""),),
        metrics={},
        deadlines=(Deadline(TIME + 3_024_000_000, DeadlineKind.PURGE),),
        pause=None,
        reason=ReasonCode.OVERSIZED,
        ended_ms=TIME + 9,
    )
    return {"batch-new": new, "batch-running": running, "batch-ended": ended}
