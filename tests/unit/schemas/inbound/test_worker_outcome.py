"""What workers of generic commands send."""

import json
from typing import Any

import pytest

from schemas.internal.events import EssayRef, OutcomeStatus, PhaseConcluded
from schemas.topics import Topic
from tests.unit.schemas.inbound.reading import BATCH, DATA, envelope, read, refusal

OUTCOME = Topic.WORKER_OUTCOME
GIVEN = DATA[OUTCOME]


def concluded(**fields: Any) -> PhaseConcluded:
    body = read(OUTCOME, envelope(OUTCOME, {**GIVEN, **fields})).body
    assert isinstance(body, PhaseConcluded)
    return body


def test_an_outcome_says_what_came_of_each_essay() -> None:
    record = read(OUTCOME, envelope(OUTCOME))
    assert record.batch_id == BATCH
    assert record.body == PhaseConcluded(
        phase="grammar",
        status=OutcomeStatus.SUCCEEDED_WITH_FAILURES,
        essays=(EssayRef("e1", "t1", {"errors": 3}),),
        failed_essay_ids=("e2", "e3"),
        correlation_id="4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        attempt=2,
        not_retryable=("e2",),
        failures={"e2": "too long"},
    )


def test_the_least_that_a_worker_can_send() -> None:
    least = {"batch_id": BATCH, "phase": "grammar", "attempt": 1, "status": "failed_critically"}
    value = json.dumps({"source_service": "w", "data": least}).encode()
    assert read(OUTCOME, value).body == PhaseConcluded(
        phase="grammar", status=OutcomeStatus.FAILED, essays=(), failed_essay_ids=(), attempt=1
    )


def test_a_worker_can_say_that_nothing_may_be_retried() -> None:
    assert concluded(retryable=False).retryable is False
    assert concluded(retryable=None).retryable is True


def test_metrics_without_a_new_text_travel_with_the_commanded_one() -> None:
    essay = {"essay_id": "e1", "text_storage_id": "t1", "metrics": {"score": 0.5}}
    assert concluded(essays=[essay]).essays == (EssayRef("e1", "t1", {"score": 0.5}),)


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": None},
        {"attempt": 0},
        {"phase": ""},
        {"batch_id": None},
        {"status": "in_progress"},
        {"essays": [{"essay_id": "e1"}]},
        {"essays": [{"essay_id": "", "text_storage_id": "t"}]},
        {"essays": [{"essay_id": "a\nb", "text_storage_id": "t"}]},
        {"essays": [{"essay_id": "e1", "failure": {"reason": "x" * 501}}]},
    ],
)
def test_an_outcome_that_breaks_the_contract_is_refused(change: dict[str, Any]) -> None:
    error = refusal(OUTCOME, envelope(OUTCOME, {**GIVEN, **change}))
    assert error.code == "ORC-FIELDS"
    assert "docs/workers.md" in error.next_step


@pytest.mark.parametrize("metrics", ['{"score": 1e999}', '{"scores": [1, {"a": -1e999}]}', '{"score": NaN}'])
def test_a_number_that_no_json_can_hold_again_is_refused(metrics: str) -> None:
    essay = {"essay_id": "e1", "text_storage_id": "t1", "metrics": "METRICS"}
    value = json.dumps(envelope(OUTCOME, {**GIVEN, "essays": [essay]})).replace('"METRICS"', metrics)
    assert refusal(OUTCOME, value.encode()).code in ("ORC-FIELDS", "ORC-NOT-JSON")


def test_an_essay_named_twice_counts_once() -> None:
    essay = {"essay_id": "e1", "text_storage_id": "t"}
    assert len(concluded(essays=[essay] * 5_001).essays) == 5_001


def test_more_essays_than_a_batch_can_have_are_refused() -> None:
    essays = [{"essay_id": f"e{number}", "text_storage_id": "t"} for number in range(5_001)]
    assert refusal(OUTCOME, envelope(OUTCOME, {**GIVEN, "essays": essays})).code == "ORC-TOO-MANY-ESSAYS"
