from api.dashboard.views.actions import actions_of, meaning, question
from schemas.internal.enums import BatchStatus
from schemas.internal.status import StatusRecord
from state.advice import advice
from tests.unit.api.dashboard import samples


def names(record: StatusRecord) -> list[str]:
    return [button.name for button in actions_of(record.batch_id, advice(record)).simple]


def test_of_pause_and_resume_the_one_is_shown_that_makes_sense() -> None:
    assert names(samples.batch()) == ["pause", "cancel"]
    assert names(samples.paused()) == ["resume", "cancel"]


def test_a_retry_names_its_phase_and_essays() -> None:
    retries = actions_of("7f3a", advice(samples.held())).retries
    allowed = [(each.label, each.url) for each in retries if each.allowed]
    assert (
        "cj_assessment: the essays that it lost",
        "/batches/7f3a/actions/retry?phase=cj_assessment&essays=failed",
    ) in allowed


def test_a_retry_that_would_be_refused_says_why() -> None:
    retries = actions_of("7f3a", advice(samples.batch())).retries
    refused = {each.label: each.refusal for each in retries if not each.allowed}
    assert "running" in refused["cj_assessment: the essays that it lost"]


def test_a_batch_that_waits_for_its_essays_has_no_retry_and_one_reason_for_it() -> None:
    actions = actions_of("7f3a", advice(samples.waiting()))
    assert actions.retry_refusal
    assert not actions.ended


def test_a_batch_that_has_ended_says_once_that_nothing_can_be_done() -> None:
    record = samples.ended(BatchStatus.CANCELLED)
    actions = actions_of(record.batch_id, advice(record))
    assert "ended" in actions.ended


def test_every_action_asks_and_says_what_it_does() -> None:
    for name in ("resume", "pause", "retry", "cancel"):
        assert question(name, "nlp").endswith("?")
        assert meaning(name)
    assert question("retry", "nlp") == "Run nlp again?"
