"""Outcomes where a phase runs for the second time: which attempt they answer."""

import pytest
from msgspec.structs import replace

from schemas.ids import attempt_correlation_id
from schemas.internal.enums import Disposition, PhaseStatus, ReasonCode
from tests.unit.state.story import CORRELATION, Story, assert_ignored, pipeline, started


def retried(*, only: int = 0, echoes: bool = True) -> Story:
    """Return a story whose phase `a` failed one essay and runs again, while `b` keeps the batch going."""
    definition = pipeline(a=(), b=())
    phases = tuple(replace(phase, echoes_attempt=echoes) for phase in definition.phases)
    story = started(replace(definition, phases=phases), slots=3)
    story.outcome("a", failed=story.slots[2:])
    story.again("a", only=story.slots[3 - only :] if only else ())
    return story


def correlation(story: Story, attempt: int) -> str:
    return attempt_correlation_id(story.batch_id, story.batch.registered_version, "a", attempt)


@pytest.mark.defect(11)
def test_an_outcome_that_echoes_nothing_counts_for_the_running_attempt() -> None:
    story = retried()
    decision = story.outcome("a", by="second")
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.attempt == 2
    assert story.run("a").status is PhaseStatus.COMPLETED_SUCCESSFULLY


def test_a_correlation_id_of_the_peers_own_echoes_nothing() -> None:
    story = retried()
    assert story.outcome("a", by="second", correlation_id="random").disposition is Disposition.APPLIED


@pytest.mark.parametrize("attempt", [1, 3])
def test_an_outcome_that_echoes_another_attempt_is_stale(attempt: int) -> None:
    story = retried()
    story.outcome("a", by="second", attempt=attempt)
    assert_ignored(story, Disposition.STALE, ReasonCode.OTHER_ATTEMPT)
    assert story.last.decision.reason.attempt == attempt


def test_an_outcome_that_echoes_the_clients_correlation_id_answers_the_first_attempt() -> None:
    story = retried()
    story.outcome("a", by="second", correlation_id=CORRELATION)
    assert_ignored(story, Disposition.STALE, ReasonCode.OTHER_ATTEMPT)
    assert story.last.decision.reason.attempt == 1


def test_an_outcome_that_echoes_the_derived_correlation_id_answers_the_second_attempt() -> None:
    story = retried()
    assert story.outcome("a", by="second", correlation_id=correlation(story, 2)).disposition is Disposition.APPLIED


def test_a_correlation_id_of_an_attempt_that_was_never_made_echoes_nothing() -> None:
    story = retried()
    assert story.outcome("a", by="second", correlation_id=correlation(story, 3)).disposition is Disposition.APPLIED


def test_the_attempt_echoed_beats_the_correlation_id() -> None:
    story = retried()
    assert story.outcome("a", by="second", correlation_id=CORRELATION, attempt=2).disposition is Disposition.APPLIED


def test_an_attempt_that_a_peer_names_counts_only_where_the_phase_says_that_it_echoes_them() -> None:
    story = retried(echoes=False)
    assert story.outcome("a", by="second", attempt=1).disposition is Disposition.APPLIED
    story = retried(echoes=False)
    story.outcome("a", by="second", attempt=2, correlation_id=CORRELATION)
    assert_ignored(story, Disposition.STALE, ReasonCode.OTHER_ATTEMPT)


def test_an_outcome_equal_to_the_first_attempts_is_a_duplicate() -> None:
    story = retried()
    story.outcome("a", failed=story.slots[2:])
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)
    story.outcome("a", failed=story.slots[2:], attempt=1)
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


def test_an_equal_outcome_that_echoes_the_running_attempt_counts_for_it() -> None:
    story = retried()
    decision = story.outcome("a", failed=story.slots[2:], attempt=2)
    assert decision.disposition is Disposition.APPLIED
    assert story.run("a").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    story.outcome("a", failed=story.slots[2:], attempt=2)
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


def test_outcomes_of_all_attempts_are_told_from_new_ones() -> None:
    story = retried()
    story.outcome("a", by="second")
    for by, failed in (("second", []), ("a", story.slots[2:])):
        story.outcome("a", ok=story.slots[: 3 - len(failed)], failed=failed, by=by)
        assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


def test_an_attempt_on_failed_essays_alone_takes_the_others_for_foreign() -> None:
    story = retried(only=1)
    story.outcome("a", ok=story.slots[:2], by="second")
    assert_ignored(story, Disposition.STALE, ReasonCode.FOREIGN_ESSAYS_ONLY)
    decision = story.outcome("a", ok=story.slots, by="second")
    assert decision.reason.foreign == 2
    view = story.status.phases["a"]
    assert (view.attempt, view.commanded, view.succeeded) == (2, 3, 3)
    assert view.status is PhaseStatus.COMPLETED_SUCCESSFULLY


def test_an_attempt_echoed_before_any_was_made_is_stale() -> None:
    story = started()
    story.outcome("cj_assessment", ok=story.slots, attempt=1)
    assert_ignored(story, Disposition.STALE, ReasonCode.PHASE_NOT_RUNNING)
