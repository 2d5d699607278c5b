"""Rules for outcomes: which attempt an outcome answers, and which essays it lost."""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.internal.enums import LostReason, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import EssayRef, Event, OutcomeStatus, PhaseConcluded
from schemas.internal.history import Reason
from state.batch import Attempt, Batch, LostEssay, PhaseRun
from state.decision.attempts import commanded, correlation_of, count_essays, essay_ids, running_attempt
from state.decision.clocks import retry_due_ms
from state.decision.digests import outcome_digest
from state.decision.graph import definition_of
from state.decision.phases import advance, conclude_attempt, with_run
from state.decision.result import Decision
from state.decision.texts import given

MAX_DETAIL = 200
"""Characters of a peer's words on a lost essay that are kept."""
_CODES = {
    PhaseStatus.FAILED: ReasonCode.PHASE_FAILED,
    PhaseStatus.WAITING_TO_RETRY: ReasonCode.RETRY_SCHEDULED,
    PhaseStatus.HELD: ReasonCode.PHASE_HELD,
}
_PEER_REASONS = {
    OutcomeStatus.FAILED: PhaseReason.PEER_FAILED,
    OutcomeStatus.CANCELLED: PhaseReason.PEER_CANCELLED,
}


def phase_concluded(batch: Batch, event: Event, body: PhaseConcluded) -> Decision:
    """Record a phase's outcome and advance the batch. An outcome that does not fit changes nothing."""
    run = batch.phases.get(body.phase)
    if run is None or body.phase not in batch.requested_phases:
        return _stale(batch, body, ReasonCode.PHASE_NOT_IN_PIPELINE)
    running = running_attempt(run)
    echoed = _echoed_attempt(batch, run, body)
    digest = outcome_digest(body)
    recorded = any(digest in attempt.outcomes for attempt in run.attempts)
    if recorded and not (running is not None and echoed == running.number):
        reason = Reason(code=ReasonCode.OUTCOME_ALREADY_RECORDED, phase=body.phase, attempt=len(run.attempts))
        return Decision.duplicate(batch, reason)
    if batch.status.terminal:
        return _stale(batch, body, ReasonCode.BATCH_ENDED, status=batch.status.value)
    if running is None:
        return _stale(batch, body, ReasonCode.PHASE_NOT_RUNNING, status=run.status.value)
    if echoed is not None and echoed != running.number:
        return _stale(batch, body, ReasonCode.OTHER_ATTEMPT, attempt=echoed)
    return _record(batch, event, body, replace(running, outcomes=(*running.outcomes, digest)))


def _echoed_attempt(batch: Batch, run: PhaseRun, body: PhaseConcluded) -> int | None:
    if body.attempt is not None and definition_of(batch, body.phase).echoes_attempt:
        return body.attempt
    if body.correlation_id is None:
        return None
    for attempt in reversed(run.attempts):
        if body.correlation_id == correlation_of(batch, body.phase, attempt.number):
            return attempt.number
    return None


def _record(batch: Batch, event: Event, body: PhaseConcluded, attempt: Attempt) -> Decision:
    """Record the outcome of the running attempt, unless it names none of the attempt's essays."""
    known, essays = essay_ids(batch), commanded(batch, attempt)
    ids = known if attempt.essays is None else tuple([known[essay] for essay in essays])
    succeeded = {ref.essay_id: ref for ref in body.essays}
    foreign, lost = 0, tuple[LostEssay, ...]()
    if body.failed_essay_ids or (tuple(succeeded) != ids and succeeded.keys() != set(ids)):  # Else all succeeded.
        named = succeeded.keys() | body.failed_essay_ids
        foreign = len(named.difference(ids))
        if named and foreign == len(named):
            return _stale(batch, body, ReasonCode.FOREIGN_ESSAYS_ONLY)
        for essay_id in body.failed_essay_ids:
            succeeded.pop(essay_id, None)
        lost = _lost(body, dict(zip(ids, essays, strict=True)), succeeded, named=bool(named))
    attempt = replace(attempt, lost=lost, foreign=foreign, reason=_reason(body.status, len(ids), len(lost)))
    batch = _take_texts(batch, body.phase, *_as_reported(ids, essays, succeeded))
    batch = conclude_attempt(batch, event, body.phase, attempt)
    reason = _told(batch, body.phase, attempt)
    batch, effects = advance(batch, event)
    return Decision.applied(batch, event, effects, reason)


def _lost(
    body: PhaseConcluded, essays: dict[str, int], succeeded: dict[str, EssayRef], *, named: bool
) -> tuple[LostEssay, ...]:
    """Return the commanded essays that did not succeed. An essay in both lists failed."""
    failed, for_good = frozenset(body.failed_essay_ids), frozenset(body.not_retryable)
    unnamed = LostReason.UNACCOUNTED if named else LostReason.NONE_NAMED
    return tuple(
        LostEssay(
            essay,
            LostReason.FAILED if essay_id in failed else unnamed,
            body.retryable and essay_id not in for_good,
            body.failures.get(essay_id, "")[:MAX_DETAIL],
        )
        for essay_id, essay in essays.items()
        if essay_id not in succeeded
    )


def _reason(status: OutcomeStatus, commanded: int, lost: int) -> PhaseReason | None:
    """Return why an attempt failed; None where an essay of it survived."""
    if lost < commanded:
        return None
    return _PEER_REASONS.get(status, PhaseReason.NO_SURVIVORS)


def _as_reported(
    ids: tuple[str, ...], essays: Sequence[int], succeeded: dict[str, EssayRef]
) -> tuple[Sequence[int], Sequence[EssayRef]]:
    """Return the commanded essays that succeeded, and what was reported of them, in the order of the outcome.

    The stored bytes follow that order. `ids` and `essays` are the commanded ones, in the order of the attempt.
    """
    if tuple(succeeded) == ids:
        return essays, tuple(succeeded.values())
    places = dict(zip(ids, essays, strict=True))
    named = [name for name in succeeded if name in places]
    return [places[name] for name in named], [succeeded[name] for name in named]


def _take_texts(batch: Batch, phase: str, essays: Sequence[int], reported: Sequence[EssayRef]) -> Batch:
    """Return the batch with what the outcome gave; what earlier attempts gave these essays went when this one began."""
    texts, metrics = given(batch, phase, essays, reported)
    if not texts and not metrics:
        return batch
    run = batch.phases[phase]
    return with_run(batch, phase, replace(run, texts=run.texts | texts, metrics=run.metrics | metrics))


def _told(batch: Batch, phase: str, attempt: Attempt) -> Reason:
    """Return the reason of the decision: what became of the phase, and how many essays survived this attempt."""
    status = batch.phases[phase].status
    return Reason(
        code=_CODES.get(status, ReasonCode.PHASE_COMPLETED),
        phase=phase,
        attempt=attempt.number,
        status=status.value,
        essays=count_essays(batch, attempt) - len(attempt.lost),
        foreign=attempt.foreign,
        unaccounted=sum(found.reason is LostReason.UNACCOUNTED for found in attempt.lost) if attempt.lost else 0,
        due_ms=retry_due_ms(batch, phase) if status is PhaseStatus.WAITING_TO_RETRY else None,
    )


def _stale(
    batch: Batch, body: PhaseConcluded, code: ReasonCode, *, status: str | None = None, attempt: int | None = None
) -> Decision:
    return Decision.stale(batch, Reason(code=code, phase=body.phase, status=status, attempt=attempt))
