"""Rules for registrations: the first of a batch, and what comes under the same batch id later."""

from schemas import ids
from schemas.internal.effects import BatchRegistered
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import Event, RegisterBatch
from schemas.internal.formats import BATCH
from schemas.internal.history import Reason
from state.batch import Batch, DecidedRequest, PhaseRun
from state.decision.clocks import arm
from state.decision.requests import refuse
from state.decision.result import Decision

_REQUESTED = PhaseRun(status=PhaseStatus.PENDING_DEPENDENCIES)
_NOT_REQUESTED = PhaseRun(status=PhaseStatus.SKIPPED_BY_USER_CONFIG, reason=PhaseReason.NOT_REQUESTED)


def register(event: Event, body: RegisterBatch) -> Decision:
    """Create a batch: assign its slots, announce it to the peers and arm the provisioning deadline."""
    slots = ids.slot_ids(event.batch_id, event.version, body.expected_essay_count)
    trace = event.origin.traceparent
    batch = Batch(
        writer=BATCH.version,
        least_reader=BATCH.least_reader,
        batch_id=event.batch_id,
        version=event.version,
        registered_version=event.version,
        status=BatchStatus.AWAITING_CONTENT_VALIDATION,
        owner=body.principal,
        correlation_id=body.correlation_id,
        trace_id=trace.split("-")[1] if trace else ids.trace_id(body.correlation_id),
        fingerprint=body.fingerprint,
        expected=body.expected_essay_count,
        context=body.context,
        pipeline=body.pipeline,
        requested_phases=body.requested_phases,
        phases={
            definition.name: _REQUESTED if definition.name in body.requested_phases else _NOT_REQUESTED
            for definition in body.pipeline.phases
        },
        decided=(DecidedRequest(body.request_id, body.fingerprint, Disposition.APPLIED, ReasonCode.REGISTERED),),
        registered_ms=event.time_ms,
        updated_ms=event.time_ms,
    )
    batch = arm(batch, event, DeadlineKind.NEVER_PROVISIONED, body.pipeline.provisioning_deadline_s)
    registered = BatchRegistered(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "batch_registered"),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=batch.correlation_id,
        trace_id=batch.trace_id,
        context=batch.context,
        essay_ids=slots,
    )
    return Decision.applied(batch, event, (registered,), Reason(code=ReasonCode.REGISTERED, essays=len(slots)))


def register_again(batch: Batch, body: RegisterBatch) -> Decision:
    """Decide on a registration of a batch that exists: the same body is a duplicate, another body is refused."""
    if body.fingerprint == batch.fingerprint:
        return Decision.duplicate(batch, Reason(code=ReasonCode.SAME_REGISTRATION))
    return refuse(batch, body, Reason(code=ReasonCode.KEY_REUSED, detail="batch id or Idempotency-Key"))
