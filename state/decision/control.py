"""Rules for control requests: cancel, pause and resume a batch. `state.decision.retries` has the retry of a phase."""

from msgspec.structs import replace

from schemas.internal.effects import Effect
from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import CancelBatch, Event, PauseBatch, ResumeBatch, RetryPhase
from schemas.internal.history import Reason
from schemas.internal.status import Pause
from state.batch import Batch
from state.decision import clocks
from state.decision.ending import end
from state.decision.phases import advance
from state.decision.requests import refuse, remember
from state.decision.result import Decision
from state.decision.retries import refusal_of_retry, retry_phase
from state.decision.start import match_provisioned

ControlRequest = CancelBatch | PauseBatch | ResumeBatch | RetryPhase


def control(batch: Batch, event: Event, body: ControlRequest) -> Decision:
    """Decide on a control request of the owner that was not decided before. A batch that has ended refuses all."""
    if body.if_version is not None and body.if_version != batch.version:
        reason = Reason(code=ReasonCode.VERSION_CHANGED, detail=f"The batch has version {batch.version}.")
        return refuse(batch, body, reason)
    if batch.status.terminal:
        return refuse(batch, body, Reason(code=ReasonCode.BATCH_ENDED, status=batch.status.value))
    match body:
        case CancelBatch():
            return _cancel(batch, event, body)
        case PauseBatch():
            return _pause(batch, event, body)
        case ResumeBatch():
            return _resume(batch, event, body)
        case RetryPhase():
            return _retry(batch, event, body)


def _cancel(batch: Batch, event: Event, body: CancelBatch) -> Decision:
    """End the batch now. Essays that an attempt works on are lost; outcomes that still come are stale."""
    batch, completed = end(
        batch,
        event,
        BatchStatus.CANCELLED,
        ReasonCode.BATCH_CANCELLED,
        phases=PhaseStatus.CANCELLED,
        phase_reason=PhaseReason.CANCELLED,
    )
    return _applied(batch, event, body, (completed,), Reason(code=ReasonCode.BATCH_CANCELLED))


def _pause(batch: Batch, event: Event, body: PauseBatch) -> Decision:
    """Stop the clocks and the commands. Attempts that run go on, and their outcomes are recorded."""
    if batch.pause is not None:
        return refuse(batch, body, Reason(code=ReasonCode.ALREADY_PAUSED))
    paused = replace(
        batch,
        pause=Pause(since_ms=event.time_ms, by=body.principal.subject, reason=body.reason),
    )
    return _applied(clocks.stop(paused, event), event, body, (), Reason(code=ReasonCode.BATCH_PAUSED))


def _resume(batch: Batch, event: Event, body: ResumeBatch) -> Decision:
    """Let the clocks run with what was left, and start what could have started during the pause."""
    if batch.pause is None:
        return refuse(batch, body, Reason(code=ReasonCode.NOT_PAUSED))
    batch = clocks.restart(replace(batch, pause=None), event)
    batch, effects = match_provisioned(batch, event) if batch.status.waiting else advance(batch, event)
    return _applied(batch, event, body, effects, Reason(code=ReasonCode.BATCH_RESUMED))


def _retry(batch: Batch, event: Event, body: RetryPhase) -> Decision:
    refused = refusal_of_retry(batch, body)
    if refused is not None:
        return refuse(batch, body, refused)
    batch, reason = retry_phase(batch, body)
    batch, effects = advance(batch, event)
    return _applied(batch, event, body, effects, reason)


def _applied(batch: Batch, event: Event, body: ControlRequest, effects: tuple[Effect, ...], reason: Reason) -> Decision:
    """Return the decision on a request that changed the batch, which remembers it. The request's own reason is told."""
    batch = remember(batch, body, Disposition.APPLIED, reason.code)
    return Decision.applied(batch, event, effects, replace(reason, detail=body.reason or None))
