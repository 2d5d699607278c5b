"""What was decided on a request, from the record that answers it."""

from typing import NamedTuple, NoReturn

from api.errors import Problem
from api.kafka_log.kafka_log import LogRecord
from schemas.errors import Code, OrchestratorError
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import HistoryRecord
from schemas.internal.records import decode_history
from schemas.topics import Topic

_DEFECTS = (Code.ROUTER_FAULT, Code.PROCESS_CRASHED)
_OVERSIZED = Code.OVERSIZED
"""Code of a decision whose result is too large; the client can send a smaller request."""


class FirstDecision(NamedTuple):
    """The first decision on a request. The repeat of a request is a duplicate, and refers to it."""

    disposition: Disposition
    reason: ReasonCode
    repeated: bool
    """Whether this request was decided before, so that nothing was done now."""


def decided(record: LogRecord) -> HistoryRecord:
    """Return the history record that answers a request.

    Raises `Problem`: 422 for a request that became a dead letter, 500 if deciding on it failed.
    """
    if record.partition.topic is Topic.DEAD_LETTERS:
        _raise_dead_letter(record)
    assert record.value is not None
    history = decode_history(record.value)
    if history.disposition is Disposition.QUARANTINED and history.reason.code is not ReasonCode.OVERSIZED:
        _raise_quarantined(history.dead_letter_id or "")
    return history


def answers(record: LogRecord, correlation_id: str) -> bool:
    """Whether a record under a request's id answers the call with this correlation id.

    Two calls can be under way with one Idempotency-Key and therefore one request id: each waits for the decision on its
    own request, because the other can have another content.
    """
    if record.partition.topic is Topic.DEAD_LETTERS or record.value is None:
        return True
    try:
        origin = decode_history(record.value).origin
    except OrchestratorError:
        return True  # who waits is told what is wrong with the record
    return origin is None or origin.correlation_id == correlation_id


def first_decision(history: HistoryRecord) -> FirstDecision:
    """Return the first decision on the request that a history record answers."""
    reason = history.reason
    if reason.code is ReasonCode.REQUEST_ALREADY_DECIDED:
        first = ReasonCode(reason.detail or ReasonCode.KEY_REUSED)
        return FirstDecision(Disposition(reason.status or Disposition.APPLIED), first, repeated=True)
    return FirstDecision(history.disposition, reason.code, repeated=history.disposition is Disposition.DUPLICATE)


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
