"""Rules for outcomes: which attempt an outcome answers, which essays survive, and which phase starts next."""

from msgspec.structs import replace

from schemas.internal.enums import Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import EssayRef, Event, OutcomeStatus, PhaseConcluded
from schemas.internal.history import Reason
from schemas.internal.status import FailedEssay
from state.batch import Batch, PhaseRun
from state.decision.essays import essays_to_command, outcome_digest
from state.decision.phases import advance, attempt_correlation, disarm
from state.decision.result import Decision
from state.decision.transitions import phase_status


def phase_concluded(batch: Batch, event: Event, body: PhaseConcluded) -> Decision:
    """Record a phase's outcome and advance the batch. An outcome that does not fit changes nothing."""
    run = batch.phases.get(body.phase)
    if run is None or body.phase not in batch.requested_phases:
        return _stale(batch, body, ReasonCode.PHASE_NOT_IN_PIPELINE)
    echoed = _echoed_attempt(batch, run, body)
    digest = outcome_digest(body)
    running = run.status is PhaseStatus.DISPATCH_INITIATED
    if digest in run.outcomes and not (running and echoed == run.attempt):
        reason = Reason(code=ReasonCode.OUTCOME_ALREADY_RECORDED, phase=body.phase, attempt=run.attempt)
        return Decision(batch, (), Disposition.DUPLICATE, reason)
    if batch.status.terminal:
        return _stale(batch, body, ReasonCode.BATCH_ENDED, status=batch.status.value)
    if not running:
        return _stale(batch, body, ReasonCode.PHASE_NOT_RUNNING, status=run.status.value)
    if echoed is not None and echoed != run.attempt:
        return _stale(batch, body, ReasonCode.OTHER_ATTEMPT, attempt=echoed)
    inputs = essays_to_command(batch, body.phase)
    named = {ref.essay_id for ref in body.essays}.union(body.failed_essay_ids)
    foreign = len(named.difference([ref.essay_id for ref in inputs]))
    if named and foreign == len(named):
        return _stale(batch, body, ReasonCode.FOREIGN_ESSAYS_ONLY)
    concluded = _conclude(batch, run, event, body, inputs)
    concluded = replace(concluded, foreign=foreign, outcomes=(*run.outcomes, digest))
    return _move_on(batch, event, body.phase, concluded)


def _echoed_attempt(batch: Batch, run: PhaseRun, body: PhaseConcluded) -> int | None:
    if body.attempt is not None:
        return body.attempt
    if body.correlation_id is None:
        return None
    for attempt in range(run.attempt, 0, -1):
        if body.correlation_id == attempt_correlation(batch, body.phase, attempt):
            return attempt
    return None


def _conclude(
    batch: Batch, run: PhaseRun, event: Event, body: PhaseConcluded, inputs: tuple[EssayRef, ...]
) -> PhaseRun:
    succeeded = {ref.essay_id: ref for ref in body.essays}
    failed = frozenset(body.failed_essay_ids)
    unnamed = "unaccounted" if succeeded or failed else "phase_failed"
    # Uploaded texts, to recognise an echo; not needed where this phase works on the uploads themselves.
    uploaded = {} if inputs is batch.essays else {ref.essay_id: ref.text_storage_id for ref in batch.essays}
    survivors: list[EssayRef] = []
    lost: list[FailedEssay] = []
    for ref in inputs:
        essay_id = ref.essay_id
        if essay_id in failed:
            lost.append(FailedEssay(essay_id, body.phase, "failed"))
        elif (reported := succeeded.get(essay_id)) is None:
            lost.append(FailedEssay(essay_id, body.phase, unnamed))
        else:
            survivors.append(_newest(ref, reported, uploaded.get(essay_id)))
    status = _status_of(batch, body.phase, len(survivors), len(lost))
    return replace(
        run,
        status=phase_status(run.status, status),
        survivors=tuple(survivors),
        failed=tuple(lost),
        completed_ms=event.time_ms,
        reason=_failure(body.status) if status is PhaseStatus.FAILED else None,
    )


def _failure(status: OutcomeStatus) -> str:
    """Return why a phase failed: the peer's status, or `phase_failed` for a success without survivors."""
    if status in (OutcomeStatus.FAILED, OutcomeStatus.CANCELLED):
        return status.value
    return ReasonCode.PHASE_FAILED.value


def _newest(commanded_ref: EssayRef, reported: EssayRef, uploaded: str | None) -> EssayRef:
    """Return the newest reference of an essay: the reported one, unless the peer echoes the upload or omits metrics."""
    if reported.text_storage_id == uploaded:
        return commanded_ref  # The peer echoed the uploaded text; keep the newer one that was commanded.
    if reported.spellcheck_metrics is None and commanded_ref.spellcheck_metrics is not None:
        return replace(reported, spellcheck_metrics=commanded_ref.spellcheck_metrics)
    return reported


def _status_of(batch: Batch, phase: str, survivors: int, lost: int) -> PhaseStatus:
    if not lost:
        return PhaseStatus.COMPLETED_SUCCESSFULLY
    strict = any(d.name == phase and d.on_partial_failure == "fail" for d in batch.pipeline.phases)
    if not survivors or strict:
        return PhaseStatus.FAILED
    return PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS


def _move_on(batch: Batch, event: Event, phase: str, run: PhaseRun) -> Decision:
    reason = Reason(
        code=ReasonCode.PHASE_FAILED if run.status is PhaseStatus.FAILED else ReasonCode.PHASE_COMPLETED,
        phase=phase,
        attempt=run.attempt,
        status=run.status.value,
        essays=run.commanded - len(run.failed),
        foreign=run.foreign,
        unaccounted=sum(lost.reason == "unaccounted" for lost in run.failed),
    )
    batch = replace(
        batch,
        version=event.version,
        updated_ms=event.time_ms,
        phases={**batch.phases, phase: run},
        deadlines=disarm(batch.deadlines, phase=phase),
    )
    batch, effects = advance(batch, event)
    return Decision(batch, effects, Disposition.APPLIED, reason)


def _stale(
    batch: Batch, body: PhaseConcluded, code: ReasonCode, *, status: str | None = None, attempt: int | None = None
) -> Decision:
    reason = Reason(code=code, phase=body.phase, status=status, attempt=attempt)
    return Decision(batch, (), Disposition.STALE, reason)
