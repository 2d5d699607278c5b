"""The HTTP reply to a registration, made from the history record that answers it."""

from api.errors import Problem
from api.requests.decided import first_decision
from schemas.errors import Code
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import Answer, HistoryRecord

_SENTENCES = {
    ReasonCode.KEY_REUSED: (
        "This key was used before with another body.",
        "Use a new Idempotency-Key for another batch, or send the first body again to get its answer.",
    ),
    ReasonCode.FOREIGN_BATCH_ID: (
        "A batch of this id exists and belongs to somebody else.",
        "Use another Idempotency-Key, or ask as the user who registered the batch.",
    ),
    ReasonCode.OVERSIZED: (
        "The batch is too large to be stored or published to the peers.",
        "Register fewer essays at a time, with shorter instructions.",
    ),
}
_OTHER_REASON = ("The request does not fit the state of the batch.", "Read the batch's status, then decide again.")


def answer_of(history: HistoryRecord) -> Answer:
    """Return the answer in a history record. Raises `Problem` for a refusal."""
    disposition, reason, _ = first_decision(history)
    if disposition is Disposition.REFUSED or reason is ReasonCode.OVERSIZED:
        raise _refused(reason, history.batch_id)
    assert history.answer is not None, "an accepted request has an answer"
    return history.answer


def _refused(code: ReasonCode, batch_id: str) -> Problem:
    detail, next_step = _SENTENCES.get(code, _OTHER_REASON)
    unprocessable = code in (ReasonCode.KEY_REUSED, ReasonCode.OVERSIZED)
    return Problem(
        422 if unprocessable else 409,
        Code.KEY_REUSED if code is ReasonCode.KEY_REUSED else Code.REFUSED,
        detail,
        next_step=next_step,
        error="Request refused",
        extra={"reason": code.value, "batch_id": batch_id},
    )
