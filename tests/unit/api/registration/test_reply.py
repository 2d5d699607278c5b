"""What a requester is told for each way that a request can end."""

import msgspec
import pytest
from msgspec.structs import replace

from api.errors import Problem
from api.kafka_log.kafka_log import LogPartition, LogRecord
from api.registration.reply import answer_of
from api.requests.decided import decided
from schemas.internal.dead_letters import dead_letter
from schemas.internal.enums import BatchStatus, Disposition, ReasonCode
from schemas.internal.formats import HISTORY
from schemas.internal.history import Answer, HistoryRecord, Reason
from schemas.internal.outgoing import RecordPosition
from schemas.topics import Topic

ANSWER = Answer(batch_id="b", correlation_id="c", status=BatchStatus.AWAITING_CONTENT_VALIDATION, version=7)
APPLIED = HistoryRecord(
    writer=HISTORY.version,
    least_reader=HISTORY.least_reader,
    batch_id="b",
    partition=0,
    offset=7,
    time_ms=1,
    kind="register",
    disposition=Disposition.APPLIED,
    reason=Reason(code=ReasonCode.REGISTERED),
    version=7,
    based_on=-1,
    request_id="r",
    answer=ANSWER,
)


def record(history: HistoryRecord) -> LogRecord:
    return LogRecord(LogPartition(Topic.HISTORY, 0), 0, b"b", msgspec.json.encode(history), {"request_id": b"r"})


def letter(code: str, *, wrapped: bool) -> LogRecord:
    first = RecordPosition("t", 0, 1)
    made = dead_letter(
        value=b"x", key=b"b", first=first, code=code, reason="broken secret", request_id="r", wrapped=wrapped
    )
    return LogRecord(LogPartition(Topic.DEAD_LETTERS, 0), 0, made.key, made.value, dict(made.headers))


def refusal(read: LogRecord) -> Problem:
    with pytest.raises(Problem) as caught:
        answer_of(decided(read))
    return caught.value


def test_an_applied_request_gets_its_answer() -> None:
    assert answer_of(decided(record(APPLIED))) == ANSWER


def test_a_duplicate_gets_the_first_answer() -> None:
    again = replace(APPLIED, disposition=Disposition.DUPLICATE, reason=Reason(code=ReasonCode.SAME_REGISTRATION))
    assert answer_of(decided(record(again))) == ANSWER


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ReasonCode.KEY_REUSED, 422),
        (ReasonCode.FOREIGN_BATCH_ID, 409),
        (ReasonCode.BATCH_ENDED, 409),
        (ReasonCode.VERSION_CHANGED, 409),
    ],
)
def test_a_refusal_and_its_repeat_are_told_alike(code: ReasonCode, status: int) -> None:
    first = replace(APPLIED, disposition=Disposition.REFUSED, reason=Reason(code=code))
    repeat = replace(
        APPLIED,
        disposition=Disposition.DUPLICATE,
        reason=Reason(code=ReasonCode.REQUEST_ALREADY_DECIDED, status="refused", detail=code.value),
    )
    for problem in (refusal(record(first)), refusal(record(repeat))):
        assert problem.status == status
        assert problem.extra["reason"] == code.value


def test_the_repeat_of_an_accepted_request_is_accepted() -> None:
    reason = Reason(code=ReasonCode.REQUEST_ALREADY_DECIDED, status="applied", detail="registered")
    assert answer_of(decided(record(replace(APPLIED, disposition=Disposition.DUPLICATE, reason=reason)))) == ANSWER


def test_a_quarantine_is_the_services_fault_and_names_the_dead_letter() -> None:
    reason = Reason(code=ReasonCode.DECISION_FAILED, detail="KeyError: secret")
    quarantined = replace(APPLIED, disposition=Disposition.QUARANTINED, reason=reason, dead_letter_id="d", answer=None)
    for problem in (refusal(record(quarantined)), refusal(letter("ORC-DECISION-FAILED", wrapped=True))):
        assert problem.status == 500
        assert problem.code == "ORC-QUARANTINED"
        assert problem.extra["dead_letter_id"]
        assert "secret" not in str(problem.body("/"))


def test_a_fault_of_the_router_is_the_services_too() -> None:
    assert refusal(letter("ORC-ROUTER-FAULT", wrapped=False)).status == 500


def test_an_undecodable_request_is_unprocessable_and_names_the_dead_letter() -> None:
    problem = refusal(letter("ORC-REQUEST-BODY", wrapped=False))
    assert problem.status == 422
    assert problem.code == "ORC-UNDECODABLE"
    assert problem.extra["dead_letter_code"] == "ORC-REQUEST-BODY"
    assert problem.extra["dead_letter_id"]


def test_a_batch_too_large_to_store_is_unprocessable() -> None:
    oversized = replace(
        APPLIED, disposition=Disposition.QUARANTINED, reason=Reason(code=ReasonCode.OVERSIZED), answer=None
    )
    assert refusal(record(oversized)).status == 422
    assert refusal(letter("ORC-OVERSIZED", wrapped=True)).status == 422
