"""Outcomes of a first attempt: what the lists say, and which outcomes are without effect."""

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import EssayRef, OutcomeStatus, PhaseConcluded
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from tests.unit.state.story import (
    CJ,
    SPELLCHECK,
    Story,
    assert_ignored,
    ended,
    essay_ids,
    pipeline,
    refs,
    registered,
    started,
    texts,
)

STRICT = PipelineDefinition(
    name="strict", version=1, phases=(replace(SPELLCHECK, on_partial_failure="fail"), replace(CJ, when=""))
)


def test_full_success_completes_the_phase_and_starts_the_next_on_the_newest_texts() -> None:
    story = started()
    decision = story.outcome("spellcheck")
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.PHASE_COMPLETED
    assert (decision.reason.essays, decision.reason.foreign, decision.reason.unaccounted) == (3, 0, 0)
    assert story.run("spellcheck").status is PhaseStatus.COMPLETED_SUCCESSFULLY
    (command,) = story.commands("cj_assessment")
    assert texts(command) == [f"spellcheck:{slot}" for slot in story.slots]


@pytest.mark.defect(33)
def test_partial_success_is_recorded_as_such_and_survivors_go_on_in_their_first_order() -> None:
    story = started()
    a, b, c = story.slots
    decision = story.outcome("spellcheck", ok=[c, a], failed=[b])
    assert story.run("spellcheck").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert decision.reason.code is ReasonCode.PHASE_COMPLETED
    assert decision.reason.status == "completed_with_partial_success"
    assert essay_ids(story.commands("cj_assessment")[0]) == [a, c]
    assert story.lost("spellcheck") == [(b, "failed")]


def test_an_essay_in_both_lists_failed() -> None:
    story = started()
    a, b, c = story.slots
    story.outcome("spellcheck", ok=[a, b, c], failed=[b])
    assert story.lost("spellcheck") == [(b, "failed")]
    assert essay_ids(story.commands("cj_assessment")[0]) == [a, c]


def test_an_essay_in_neither_list_is_unaccounted_and_failed() -> None:
    story = started()
    a, b, c = story.slots
    decision = story.outcome("spellcheck", ok=[a], failed=[b])
    assert decision.reason.unaccounted == 1
    assert story.lost("spellcheck") == [(b, "failed"), (c, "unaccounted")]
    view = story.status.phases["spellcheck"]
    assert (view.commanded, view.succeeded, view.failed, view.unaccounted) == (3, 1, 1, 1)
    assert essay_ids(story.commands("cj_assessment")[0]) == [a]


@pytest.mark.parametrize("status", OutcomeStatus)
def test_lists_beat_the_status(status: OutcomeStatus) -> None:
    story = started()
    story.outcome("spellcheck", status=status)
    assert story.run("spellcheck").status is PhaseStatus.COMPLETED_SUCCESSFULLY
    story = started()
    story.outcome("spellcheck", failed=story.slots[:1], status=status)
    assert story.run("spellcheck").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    story = started()
    story.outcome("spellcheck", ok=[], failed=story.slots, status=status)
    assert story.run("spellcheck").status is PhaseStatus.FAILED


@pytest.mark.defect(13)
@pytest.mark.parametrize("status", OutcomeStatus)
def test_an_outcome_that_names_nobody_fails_every_commanded_essay(status: OutcomeStatus) -> None:
    story = started()
    decision = story.outcome("spellcheck", ok=[], status=status)
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.PHASE_FAILED
    assert story.run("spellcheck").status is PhaseStatus.FAILED
    assert story.lost("spellcheck") == [(slot, "none_named") for slot in story.slots]
    view = story.status.phases["spellcheck"]
    assert (view.commanded, view.succeeded, view.failed, view.unaccounted) == (3, 0, 3, 0)
    said = {OutcomeStatus.FAILED: "peer_failed", OutcomeStatus.CANCELLED: "peer_cancelled"}
    assert view.reason == said.get(status, "no_survivors")
    assert story.run("spellcheck").attempts[0].reason is view.reason
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert story.batch.reason == "phase_failed"


def test_some_foreign_essays_are_dropped_and_counted_once_each() -> None:
    story = started()
    a, b, c = story.slots
    decision = story.outcome("spellcheck", ok=[a, b, "foreign", "both"], failed=[c, "other", "both", "other"])
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.foreign == 3
    assert story.status.phases["spellcheck"].foreign == 3
    assert essay_ids(story.commands("cj_assessment")[0]) == [a, b]
    assert story.lost("spellcheck") == [(c, "failed")]


def test_an_outcome_of_foreign_essays_alone_is_stale() -> None:
    story = started()
    story.outcome("spellcheck", ok=["foreign"], failed=["other"])
    assert_ignored(story, Disposition.STALE, ReasonCode.FOREIGN_ESSAYS_ONLY)
    assert story.outcome("spellcheck").disposition is Disposition.APPLIED


def test_an_essay_that_an_earlier_phase_lost_is_foreign_to_the_next() -> None:
    story = started()
    a, b, c = story.slots
    story.outcome("spellcheck", ok=[a, b], failed=[c])
    story.outcome("cj_assessment", ok=[c])
    assert_ignored(story, Disposition.STALE, ReasonCode.FOREIGN_ESSAYS_ONLY)
    decision = story.outcome("cj_assessment", ok=[a, b, c])
    assert decision.reason.foreign == 1
    assert story.run("cj_assessment").status is PhaseStatus.COMPLETED_SUCCESSFULLY


def test_one_failed_essay_fails_a_phase_that_allows_none() -> None:
    story = started(STRICT)
    decision = story.outcome("spellcheck", failed=story.slots[:1])
    assert decision.reason.code is ReasonCode.PHASE_FAILED
    assert story.run("spellcheck").status is PhaseStatus.FAILED
    assert story.run("cj_assessment").status is PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    view = story.status.phases["spellcheck"]
    assert (view.commanded, view.succeeded, view.failed) == (3, 2, 1)


def test_full_success_passes_a_phase_that_allows_no_failure() -> None:
    story = started(STRICT)
    story.outcome("spellcheck")
    assert story.run("spellcheck").status is PhaseStatus.COMPLETED_SUCCESSFULLY


def test_spellcheck_metrics_go_on_to_the_next_phase_and_past_a_peer_that_sends_none() -> None:
    story = started(pipeline(spellcheck=(), nlp=("spellcheck",), cj_assessment=("nlp",)), slots=1)
    metrics = {"total_corrections": 3}
    checked = EssayRef(story.slots[0], "checked", metrics)
    story.tell(
        PhaseConcluded(phase="spellcheck", status=OutcomeStatus.SUCCEEDED, essays=(checked,), failed_essay_ids=())
    )
    assert story.commands("nlp")[0].essays == (checked,)
    story.outcome("nlp", by="nlp")
    assert story.commands("cj_assessment")[0].essays == (EssayRef(story.slots[0], f"nlp:{story.slots[0]}", metrics),)


def test_an_equal_outcome_is_a_duplicate_whatever_its_ids_order_and_repeats() -> None:
    story = started(slots=4)
    a, b, c, d = story.slots
    story.outcome("spellcheck", ok=[a, b], failed=[c, d], correlation_id="one")
    story.outcome("spellcheck", ok=[b, a, b], failed=[d, c, d], correlation_id="other")
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


@pytest.mark.parametrize(
    "other",
    [
        {"ok": (0, 1), "failed": (2,), "by": "other"},
        {"ok": (0,), "failed": (2,)},
        {"ok": (0, 1), "failed": (), "status": OutcomeStatus.SUCCEEDED_WITH_FAILURES},
        {"ok": (0, 1), "failed": (2,), "status": OutcomeStatus.FAILED},
    ],
    ids=["other texts", "other successes", "other failures", "other status"],
)
def test_an_outcome_that_differs_from_the_recorded_one_is_stale(other: dict[str, object]) -> None:
    story = started()
    named = {key: [story.slots[i] for i in value] for key, value in other.items() if isinstance(value, tuple)}
    story.outcome("spellcheck", ok=story.slots[:2], failed=story.slots[2:])
    story.outcome("spellcheck", **{**other, **named})  # type: ignore[arg-type]
    assert_ignored(story, Disposition.STALE, ReasonCode.PHASE_NOT_RUNNING)
    assert story.last.decision.reason.status == "completed_with_partial_success"


@pytest.mark.defect(3)
@pytest.mark.defect(4)
def test_an_outcome_of_a_phase_that_waits_for_its_turn_is_stale() -> None:
    story = started()
    story.outcome("cj_assessment", ok=story.slots)
    assert_ignored(story, Disposition.STALE, ReasonCode.PHASE_NOT_RUNNING)
    assert story.last.decision.reason.status == "pending_dependencies"


def test_an_outcome_before_the_batch_is_ready_is_stale() -> None:
    story = registered()
    story.outcome("spellcheck", ok=story.slots)
    assert_ignored(story, Disposition.STALE, ReasonCode.PHASE_NOT_RUNNING)
    assert story.ready().disposition is Disposition.APPLIED


@pytest.mark.parametrize("phase", ["nlp", "cj_assessment"], ids=["unknown", "not asked for"])
def test_an_outcome_of_a_phase_that_is_not_in_the_pipeline_is_stale(phase: str) -> None:
    story = started(phases=["spellcheck"])
    story.outcome(phase, ok=story.slots)
    assert_ignored(story, Disposition.STALE, ReasonCode.PHASE_NOT_IN_PIPELINE)
    assert story.last.decision.reason.phase == phase


def test_another_outcome_after_the_end_is_stale_and_an_equal_one_a_duplicate() -> None:
    story = ended()
    story.outcome("spellcheck", ok=[], failed=story.slots)
    assert_ignored(story, Disposition.STALE, ReasonCode.BATCH_ENDED)
    assert story.last.decision.reason.status == "completed_successfully"
    story.outcome("spellcheck", ok=story.slots)
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


def test_the_outcome_of_a_critical_failure_comes_again_as_a_duplicate() -> None:
    story = started()
    story.outcome("spellcheck", ok=[])
    story.outcome("spellcheck", ok=[])
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


def test_an_essay_named_twice_keeps_the_text_named_last() -> None:
    story = started(slots=1)
    twice = (*refs(story.slots, "first"), *refs(story.slots, "last"))
    story.tell(replace(story.concluded("spellcheck"), essays=twice))
    assert texts(story.commands("cj_assessment")[0]) == [f"last:{story.slots[0]}"]


def test_each_phase_is_defined_by_the_batchs_own_pipeline() -> None:
    patient = PhaseDefinition(name="nlp", on_partial_failure="continue")
    story = started(PipelineDefinition(name="mixed", version=3, phases=(*STRICT.phases, patient)))
    story.outcome("nlp", failed=story.slots[:1])
    assert story.run("nlp").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    story.outcome("spellcheck", failed=story.slots[:1])
    assert story.run("spellcheck").status is PhaseStatus.FAILED


def test_an_ended_story_tells_its_whole_success() -> None:
    story: Story = ended()
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY
    (completed,) = story.completions
    assert completed.final_status is BatchStatus.COMPLETED_SUCCESSFULLY
    assert completed.completed_phases == ("spellcheck",)
    assert (completed.succeeded, completed.failed) == (3, 0)


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_strict_phase_that_fails_beside_one_that_succeeds_ends_the_batch_with_failures(first: str) -> None:
    strict = PipelineDefinition(
        name="strict",
        version=1,
        phases=(PhaseDefinition(name="a", on_partial_failure="fail"), PhaseDefinition(name="b")),
    )
    story = started(strict)
    for phase in (first, "b" if first == "a" else "a"):
        story.outcome(phase, failed=story.slots[:1] if phase == "a" else ())
    assert story.run("a").status is PhaseStatus.FAILED
    assert story.run("a").reason is PhaseReason.PARTIAL_FAILURE
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES
    (completed,) = story.completions
    assert completed.completed_phases == ("b",)
    assert (completed.succeeded, completed.failed) == (2, 1)


def test_a_peers_words_on_a_failed_essay_are_kept_and_whether_it_would_fail_again() -> None:
    story = started()
    a, b, c = story.slots
    outcome = replace(story.concluded("spellcheck", ok=[a], failed=[b, c]), not_retryable=(b,))
    story.tell(replace(outcome, failures={b: "no text layer" * 100, a: "ignored"}))
    lost = story.run("spellcheck").attempts[0].lost
    assert [(found.essay, found.retryable) for found in lost] == [(1, False), (2, True)]
    assert story.status.failed_essays[0].detail == ("no text layer" * 100)[:200]
    assert story.status.failed_essays[1].detail == ""
    story = started()
    story.tell(replace(story.concluded("spellcheck", ok=[]), retryable=False))
    assert not any(found.retryable for found in story.run("spellcheck").attempts[0].lost)
