"""What all requests share: whose batch it is, whether the request was answered before, and what is remembered."""

from msgspec.structs import replace

from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import RegisterBatch, Request
from schemas.internal.history import Reason
from state.batch import Batch, DecidedRequest
from state.decision.result import Decision

ANY_OWNER = "batches:any-owner"
"""Scope of a principal who controls, and over HTTP also reads, the batches of every owner."""
ORGANISATION = "batches:organisation"
"""Scope of a principal who controls, and over HTTP also reads, every batch of the principal's organisation."""
REMEMBERED_REQUESTS = 32
"""How many of a batch's last requests are remembered, refused ones included."""


def refuse_foreign_owner(batch: Batch, body: Request) -> Decision | None:
    """Return the refusal of a request by anybody but the owner, or None. The refusal says nothing about the batch.

    A principal with the scope `batches:any-owner` or `batches:organisation` controls the batches of others, but
    registers none of them.
    The refusal is not remembered: other callers must not displace the owner's requests from `decided`.
    """
    principal, owner = body.principal, batch.owner
    if (principal.organisation, principal.subject) == (owner.organisation, owner.subject):
        return None
    if not isinstance(body, RegisterBatch):
        if ANY_OWNER in principal.scopes:
            return None
        if ORGANISATION in principal.scopes and principal.organisation == owner.organisation:
            return None
    return Decision.refused(batch, Reason(code=ReasonCode.FOREIGN_BATCH_ID))


def answered_before(batch: Batch, body: Request) -> Decision | None:
    """Return the decision on a request whose id was decided before in this batch's life, or None."""
    for decided in batch.decided:
        if decided.request_id != body.request_id:
            continue
        if decided.fingerprint != body.fingerprint:
            return Decision.refused(batch, Reason(code=ReasonCode.KEY_REUSED, detail="request id"))
        reason = Reason(
            code=ReasonCode.REQUEST_ALREADY_DECIDED, status=decided.disposition.value, detail=decided.code.value
        )
        return Decision.duplicate(batch, reason)
    return None


def refuse(batch: Batch, body: Request, reason: Reason) -> Decision:
    """Refuse a request and remember it, so that a repeat gets the same answer. The batch's version stays."""
    return Decision.refused(remember(batch, body, Disposition.REFUSED, reason.code), reason)


def remember(batch: Batch, body: Request, disposition: Disposition, code: ReasonCode) -> Batch:
    """Return the batch with the answer to a request, in place of the oldest where there are many."""
    decided = DecidedRequest(body.request_id, body.fingerprint, disposition, code)
    return replace(batch, decided=(*batch.decided[1 - REMEMBERED_REQUESTS :], decided))
