"""What a client is told of each reason for which a request to control a batch is refused."""

from typing import NamedTuple

from api.errors import Problem, batch_not_found
from schemas.errors import Code
from schemas.internal.enums import ReasonCode


class Refusal(NamedTuple):
    """The texts of one reason."""

    detail: str
    next_step: str
    status: int = 409
    code: Code = Code.REFUSED


_READ_AGAIN = "Read the batch's status, then decide again."
NOT_FOUND = frozenset({ReasonCode.UNKNOWN_BATCH, ReasonCode.FOREIGN_BATCH_ID})
"""Reasons that are answered as 404: a batch of somebody else looks like one that does not exist."""

REFUSALS: dict[ReasonCode, Refusal] = {
    ReasonCode.VERSION_CHANGED: Refusal(
        "The batch has changed: it does not have the version that the request names.",
        "Read the batch's status, decide again, and send the request with the ETag of that status.",
        412,
        Code.VERSION_CHANGED,
    ),
    ReasonCode.KEY_REUSED: Refusal(
        "This Idempotency-Key was used before for another request about this batch.",
        "Use a new Idempotency-Key, or send the first request again to get its answer.",
        422,
        Code.KEY_REUSED,
    ),
    ReasonCode.OVERSIZED: Refusal(
        "The result of the request is too large to be stored or published, so the batch has ended in failure.",
        "Read the batch's status. Register the essays again in smaller batches.",
        422,
    ),
    ReasonCode.BATCH_ENDED: Refusal(
        "The batch has ended, and nothing changes a batch that has ended.",
        "Read the batch's status. To process its essays again, register them as a new batch.",
    ),
    ReasonCode.ALREADY_PAUSED: Refusal("The batch is paused already.", "Resume it to let it go on."),
    ReasonCode.NOT_PAUSED: Refusal("The batch is not paused.", "Read the batch's status to see what it waits for."),
    ReasonCode.NOT_STARTED: Refusal(
        "The batch still waits for its essays, so no phase can be run again.",
        "Wait until the batch processes its essays, or cancel it.",
    ),
    ReasonCode.PHASE_NOT_REQUESTED: Refusal(
        "The batch has no such phase, or it was not requested.",
        "Name a phase that the batch's status lists in requested_pipelines.",
    ),
    ReasonCode.PHASE_RUNNING: Refusal(
        "The phase is running or about to run, so that some essays are not yet known to have failed.",
        "Wait for its outcome, or retry the phase with all essays, which replaces the running attempt.",
    ),
    ReasonCode.PHASE_SUCCEEDED: Refusal(
        "The phase succeeded with all its essays.", "Retry a phase that failed, or that lost some of its essays."
    ),
    ReasonCode.NOTHING_FAILED: Refusal(
        "The phase has lost no essays that could be run again, or was skipped.",
        "Retry a phase before it, or name the essays to run again.",
    ),
    ReasonCode.UNKNOWN_ESSAYS: Refusal(
        "The request names essays that are not inputs of this phase.",
        "Name essays of the batch that reached the phase.",
    ),
    ReasonCode.TOO_MANY_ATTEMPTS: Refusal(
        "The phase, or one after it, has had as many attempts as a phase can have.",
        "Cancel the batch, and register its essays as a new one.",
    ),
}
_OTHER = Refusal("The request does not fit the state of the batch.", _READ_AGAIN)


def refusal(reason: ReasonCode) -> Refusal:
    """Return the texts of a reason."""
    return REFUSALS.get(reason, _OTHER)


def refused(reason: ReasonCode, batch_id: str, *, status: str | None = None, version: int | None = None) -> Problem:
    """Return the problem of a refused request; `status` and `version` are those of the batch, where known."""
    if reason in NOT_FOUND:
        return batch_not_found(batch_id)
    told = refusal(reason)
    facts = {} if version is None else {"batch_status": status, "version": version}
    return Problem(
        told.status,
        told.code,
        told.detail,
        next_step=told.next_step,
        error="Precondition failed" if told.status == 412 else "Request refused",
        headers={} if version is None else {"ETag": f'"{version}"'},
        extra={"reason": reason.value, "batch_id": batch_id, **facts},
    )
