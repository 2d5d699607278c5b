"""The decision: the only thing that changes a batch.

Pure: no Kafka, clock, logging, randomness or configuration. The same batch and event always give the same decision,
byte for byte, so that an event that is decided again after a crash publishes the same.
"""

from schemas.internal.enums import ReasonCode
from schemas.internal.events import (
    CancelBatch,
    ContentProvisioned,
    DeadlineReached,
    EssaysReady,
    Event,
    PauseBatch,
    PhaseConcluded,
    RegisterBatch,
    Request,
    ResumeBatch,
    RetryPhase,
    ValidationFailed,
)
from schemas.internal.history import Reason
from state.batch import Batch
from state.decision.control import control
from state.decision.deadlines import deadline_reached
from state.decision.ending import end_oversized
from state.decision.outcomes import phase_concluded
from state.decision.registration import register, register_again
from state.decision.requests import answered_before, refuse_foreign_owner
from state.decision.result import Decision, Oversize
from state.decision.start import content_provisioned, essays_ready, validation_failed


def decide(batch: Batch | None, event: Event, oversize: Oversize | None = None) -> Decision:
    """Return the decision on `event` for `batch`, which is None where no such batch exists.

    With `oversize`, return the decision in place of one whose result does not fit. Peers and clients cannot make it
    raise: an exception is a defect of a rule, and the caller quarantines the event.
    """
    body = event.body
    if oversize is not None:
        return end_oversized(batch, event, oversize)
    if batch is None:
        return _decide_without_batch(event)
    match body:
        case RegisterBatch() | CancelBatch() | PauseBatch() | ResumeBatch() | RetryPhase():
            return _decide_request(batch, event, body)
        case EssaysReady():
            return essays_ready(batch, event, body)
        case ContentProvisioned():
            return content_provisioned(batch, event, body)
        case ValidationFailed():
            return validation_failed(batch, event, body)
        case PhaseConcluded():
            return phase_concluded(batch, event, body)
        case DeadlineReached():
            return deadline_reached(batch, event, body)


def _decide_request(batch: Batch, event: Event, body: Request) -> Decision:
    settled = refuse_foreign_owner(batch, body) or answered_before(batch, body)
    if settled is not None:
        return settled
    if isinstance(body, RegisterBatch):
        return register_again(batch, body)
    return control(batch, event, body)


def _decide_without_batch(event: Event) -> Decision:
    match event.body:
        case RegisterBatch() as body:
            return register(event, body)
        case CancelBatch() | PauseBatch() | ResumeBatch() | RetryPhase():
            return Decision.refused(None, Reason(code=ReasonCode.UNKNOWN_BATCH))
        case DeadlineReached():  # the twin of a purge: two timekeepers can fire the same deadline
            return Decision.stale(None, Reason(code=ReasonCode.NO_BATCH_LEFT))
        case _:
            return Decision.unknown()
