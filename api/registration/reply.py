"""The HTTP reply to a registration, made from the record that answers its request."""

from typing import NoReturn

from api.errors import Problem
from api.kafka_log.kafka_log import LogRecord
from schemas.errors import Code
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import Answer, HistoryRecord
from schemas.internal.records import decode_history
from schemas.topics import Topic

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
_DEFECTS = (Code.ROUTER_FAULT, Code.PROCESS_CRASHED)
_OVERSIZED = Code.OVERSIZED
"""Code of a decision whose result is too large; the client can send a smaller batch."""
_OTHER_REASON = ("The request does not fit the state of the batch.", "Read the batch's status, then decide again.")


def answer_of(record: LogRecord) -> Answer:
    """Return the answer in a history record. Raises `Problem` for a refusal, a dead letter or a quarantine."""
    if record.partition.topic is Topic.DEAD_LETTERS:
        _raise_dead_letter(record)
    assert record.value is not None
    history = decode_history(record.value)
    if history.disposition is Disposition.QUARANTINED and history.reason.code is not ReasonCode.OVERSIZED:
        _raise_quarantined(history.dead_letter_id or "")
    refused = _refusal(history)
    if refused is not None:
        raise _refused(refused, history)
    assert history.answer is not None, "an accepted request has an answer"
    return history.answer


def _refusal(history: HistoryRecord) -> ReasonCode | None:
    reason = history.reason
    if history.disposition is Disposition.REFUSED or reason.code is ReasonCode.OVERSIZED:
        return reason.code
    if reason.code is ReasonCode.REQUEST_ALREADY_DECIDED and reason.status == Disposition.REFUSED.value:
        return ReasonCode(reason.detail or ReasonCode.KEY_REUSED)
    return None


def _refused(code: ReasonCode, history: HistoryRecord) -> Problem:
    detail, next_step = _SENTENCES.get(code, _OTHER_REASON)
    unprocessable = code in (ReasonCode.KEY_REUSED, ReasonCode.OVERSIZED)
    return Problem(
        422 if unprocessable else 409,
        Code.KEY_REUSED if code is ReasonCode.KEY_REUSED else Code.REFUSED,
        detail,
        next_step=next_step,
        error="Request refused",
        extra={"reason": code.value, "batch_id": history.batch_id},
    )


def _raise_dead_letter(record: LogRecord) -> NoReturn:
    letter = parse_dead_letter(record.key, record.headers, record.value)
    if letter.code in _DEFECTS or (letter.wrapped and letter.code != _OVERSIZED):
        _raise_quarantined(letter.dead_letter_id)
    raise Problem(
        422,
        Code.UNDECODABLE,
        f"The request was written, but it cannot be used ({letter.code}): {letter.reason}",
        next_step="Correct the body and send it again; the dead letter keeps what was sent.",
        error="Request cannot be used",
        extra={"dead_letter_id": letter.dead_letter_id, "dead_letter_code": letter.code},
    )


def _raise_quarantined(dead_letter_id: str) -> NoReturn:
    raise Problem(
        500,
        Code.QUARANTINED,
        "The request was written, but deciding on it failed; it is kept as a dead letter.",
        next_step="Report the dead letter's id to the operator, who can look at it and send it again.",
        error="Request failed",
        extra={"dead_letter_id": dead_letter_id},
    )
