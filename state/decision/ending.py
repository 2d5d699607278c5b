"""Rules for the end of a batch: how it ends, what becomes of its open phases, and what is kept."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.effects import Effect, PipelineCompleted
from schemas.internal.enums import BatchStatus, DeadlineKind, LostReason, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import Event
from state.batch import Batch, PhaseRun
from state.decision.attempts import count_succeeded, cut_off, running_attempt, stub, without_details
from state.decision.clocks import arm
from state.decision.result import Decision, Oversize
from state.decision.transitions import batch_status, phase_status

_LOST = {PhaseReason.CANCELLED: LostReason.CANCELLED, PhaseReason.OVERSIZED: LostReason.OVERSIZED}
"""Why the essays of a running attempt are lost, by why its phase was cut off; otherwise `no_outcome`."""


def final_status(batch: Batch) -> BatchStatus:
    """Return how a batch ends whose requested phases have all ended (ADR 4)."""
    statuses = [batch.phases[name].status for name in batch.requested_phases]
    if not any(status.succeeded for status in statuses):
        return BatchStatus.FAILED_CRITICALLY
    complete = batch.ready_count == batch.expected
    if complete and all(status is PhaseStatus.COMPLETED_SUCCESSFULLY for status in statuses):
        return BatchStatus.COMPLETED_SUCCESSFULLY
    return BatchStatus.COMPLETED_WITH_FAILURES


def end(
    batch: Batch,
    event: Event,
    status: BatchStatus,
    reason: ReasonCode | None = None,
    *,
    phases: PhaseStatus = PhaseStatus.CANCELLED,
    phase_reason: PhaseReason = PhaseReason.BATCH_ENDED,
) -> tuple[Batch, Effect]:
    """End the batch: shrink its record to a stub, arm the purge alone, and publish the completion.

    Every phase that is still open gets the status `phases` and the reason `phase_reason`.
    """
    runs = {
        name: run if run.status.terminal else _taken_over(batch, event, run, phases, phase_reason)
        for name, run in batch.phases.items()
    }
    ended = replace(
        stub(replace(batch, phases=runs)),
        status=batch_status(batch.status, status),
        reason=reason,
        deadlines=(),
        pause=None,
        ended_ms=event.time_ms,
    )
    ended = arm(ended, event, DeadlineKind.PURGE, batch.pipeline.purge_after_s)
    return ended, _completed(ended, event)


def _taken_over(batch: Batch, event: Event, run: PhaseRun, status: PhaseStatus, reason: PhaseReason) -> PhaseRun:
    attempts = run.attempts
    running = running_attempt(run)
    if running is not None:
        lost = cut_off(batch, running, _LOST.get(reason, LostReason.NO_OUTCOME))
        attempts = (*attempts[:-1], replace(running, concluded_ms=event.time_ms, lost=lost, reason=reason))
    return replace(run, status=phase_status(run.status, status), attempts=attempts, reason=reason)


def _completed(batch: Batch, event: Event) -> PipelineCompleted:
    succeeded = count_succeeded(batch, len(batch.essays))
    return PipelineCompleted(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "pipeline_completed"),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=batch.correlation_id,
        trace_id=batch.trace_id,
        context=batch.context,
        final_status=batch.status,
        completed_phases=tuple(name for name in batch.requested_phases if batch.phases[name].status.succeeded),
        started_ms=batch.registered_ms,
        succeeded=succeeded,
        failed=batch.expected - succeeded,
    )


def end_oversized(batch: Batch | None, event: Event, oversize: Oversize) -> Decision:
    """Return the decision in place of one whose result is too large: the batch and its open phases fail.

    Without a batch that could end, the event is set aside. The peers' words on lost essays go: a batch whose end does
    not fit either could never end.
    """
    if batch is None or batch.status.terminal:
        return Decision.quarantined(batch, oversize.reason)
    ended, completed = end(
        without_details(batch),
        event,
        BatchStatus.FAILED_CRITICALLY,
        ReasonCode.OVERSIZED,
        phases=PhaseStatus.FAILED,
        phase_reason=PhaseReason.OVERSIZED,
    )
    return Decision.applied(ended, event, (completed,), oversize.reason)
