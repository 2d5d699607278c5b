"""The played workers fail what their script says, and the same in every run."""

from typing import Any

from peers.workers import WorkerOptions, outcome_of

COMMAND: dict[str, Any] = {
    "command_id": "5cf33cd4-881a-566c-86f3-c85eec47f87f",
    "phase": "grammar",
    "attempt": 1,
    "essays": [{"essay_id": f"e{number}", "text_storage_id": f"t{number}"} for number in range(200)],
}


def options(**given: Any) -> WorkerOptions:
    return WorkerOptions(topics={"grammar": "grammar.jobs"}, topic_prefix="huleedu", **given)


def outcome(chosen: WorkerOptions, **given: Any) -> dict[str, Any]:
    return outcome_of({"batch_id": "batch-1", **COMMAND, **given}, chosen)


def failed(told: dict[str, Any]) -> int:
    return sum("failure" in essay for essay in told["essays"])


def test_every_commanded_essay_gets_a_new_text_and_a_metric() -> None:
    told = outcome(options())
    assert (told["batch_id"], told["phase"], told["attempt"]) == ("batch-1", "grammar", 1)
    assert told["status"] == "completed_successfully"
    assert [essay["essay_id"] for essay in told["essays"]] == [f"e{number}" for number in range(200)]
    assert len({essay["text_storage_id"] for essay in told["essays"]}) == 200


def test_essays_fail_in_the_attempts_that_another_one_follows() -> None:
    flaky = options(failed_essay_rate=0.5, flaky={"grammar": 2})
    first, second, third = (outcome(flaky, attempt=attempt) for attempt in (1, 2, 3))
    assert 50 < failed(first) < 150
    assert 50 < failed(second) < 150
    assert first["essays"] != second["essays"]
    assert failed(third) == 0
    assert first == outcome(flaky)
    assert failed(outcome(flaky, phase="style")) == 0


def test_a_phase_breaks_in_its_first_attempt_alone() -> None:
    broken = options(broken_rate=1.0, broken=frozenset({"grammar"}))
    assert outcome(broken)["status"] == "failed_critically"
    assert outcome(broken)["essays"] == []
    assert outcome(broken, attempt=2)["status"] == "completed_successfully"
    assert outcome(broken, phase="style")["status"] == "completed_successfully"
