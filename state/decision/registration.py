"""Rules for requests: register a batch, answer a repeated request, refuse a conflicting one."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.codec import FORMAT_VERSION, LEAST_READER
from schemas.internal.effects import BatchRegistered
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import Event, RegisterBatch, Request
from schemas.internal.history import Reason
from schemas.internal.status import Deadline
from state.batch import Batch, DecidedRequest, PhaseRun
from state.decision.result import Decision

REMEMBERED_REQUESTS = 32
"""How many of a batch's last requests are remembered, refused ones included."""


def register(event: Event, body: RegisterBatch) -> Decision:
    """Create a batch: assign its slots, announce it to the peers and arm the provisioning deadline."""
    slots = ids.slot_ids(event.batch_id, event.version, body.expected_essay_count)
    trace = event.origin.traceparent
    batch = Batch(
        writer=FORMAT_VERSION,
        least_reader=LEAST_READER,
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
            definition.name: PhaseRun(
                status=PhaseStatus.PENDING_DEPENDENCIES
                if definition.name in body.requested_phases
                else PhaseStatus.SKIPPED_BY_USER_CONFIG
            )
            for definition in body.pipeline.phases
        },
        slots=slots,
        deadlines=(
            Deadline(event.time_ms + body.pipeline.provisioning_deadline_s * 1000, DeadlineKind.NEVER_PROVISIONED),
        ),
        decided=(DecidedRequest(body.request_id, body.fingerprint, Disposition.APPLIED, ReasonCode.REGISTERED),),
        registered_ms=event.time_ms,
        updated_ms=event.time_ms,
    )
    registered = BatchRegistered(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "batch_registered"),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=batch.correlation_id,
        trace_id=batch.trace_id,
        context=batch.context,
        essay_ids=slots,
    )
    return Decision(batch, (registered,), Disposition.APPLIED, Reason(code=ReasonCode.REGISTERED, essays=len(slots)))


def answered_before(batch: Batch, body: Request) -> Decision | None:
    """Return the decision on a request whose id was decided before in this batch's life, or None."""
    for decided in batch.decided:
        if decided.request_id != body.request_id:
            continue
        if decided.fingerprint != body.fingerprint:
            return Decision(batch, (), Disposition.REFUSED, Reason(code=ReasonCode.KEY_REUSED, detail="request id"))
        reason = Reason(
            code=ReasonCode.REQUEST_ALREADY_DECIDED, status=decided.disposition.value, detail=decided.code.value
        )
        return Decision(batch, (), Disposition.DUPLICATE, reason)
    return None


def refuse_foreign_owner(batch: Batch, body: Request) -> Decision | None:
    """Return the refusal of a request by anybody but the owner, or None. The refusal says nothing about the batch.

    The refusal is not remembered: other callers must not displace the owner's requests from `decided`.
    """
    if (body.principal.organisation, body.principal.subject) == (batch.owner.organisation, batch.owner.subject):
        return None
    return Decision(batch, (), Disposition.REFUSED, Reason(code=ReasonCode.FOREIGN_BATCH_ID))


def register_again(batch: Batch, body: RegisterBatch) -> Decision:
    """Decide on a registration of a batch that exists: the same body is a duplicate, another body is refused."""
    if body.fingerprint == batch.fingerprint:
        return Decision(batch, (), Disposition.DUPLICATE, Reason(code=ReasonCode.SAME_REGISTRATION))
    return refuse(batch, body, Reason(code=ReasonCode.KEY_REUSED, detail="batch id or Idempotency-Key"))


def refuse(batch: Batch, body: Request, reason: Reason) -> Decision:
    """Refuse a request and remember it, so that a repeat gets the same answer. The batch's version stays."""
    decided = DecidedRequest(body.request_id, body.fingerprint, Disposition.REFUSED, reason.code)
    batch = replace(batch, decided=(*batch.decided[1 - REMEMBERED_REQUESTS :], decided))
    return Decision(batch, (), Disposition.REFUSED, reason)
