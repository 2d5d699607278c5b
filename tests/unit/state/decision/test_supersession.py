"""What a retry supersedes: everything downstream, whose late outcomes never count."""

from typing import Any

import pytest

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from state.batch import PhaseRun
from tests.unit.state import givens
from tests.unit.state.clocked import HOLDS, RETRIES, ClockedStory, begun, phase
from tests.unit.state.story import assert_ignored, essay_ids, texts

R = ReasonCode
P = PhaseStatus


def chain() -> ClockedStory:
    """Return a story of a chain a -> b -> c, where `a` lost one essay, `b` another, and `c` runs on the third."""
    story = begun(phase("a"), phase("b", ["a"]), phase("c", ["b"]))
    story.answer("a", failed=[2])
    story.answer("b", failed=[1])
    return story


def test_a_retry_supersedes_everything_downstream() -> None:
    story = chain()
    story.retry("a")
    assert [story.run(name).status for name in "abc"] == [P.DISPATCH_INITIATED, *[P.PENDING_DEPENDENCIES] * 2]
    assert {deadline.phase for deadline in story.batch.deadlines} == {"a"}
    assert [lost.phase for lost in story.status.failed_essays if lost.phase != "a"] == []
    for name in "bc":
        run = story.run(name)
        assert [(attempt.superseded, attempt.lost) for attempt in run.attempts] == [(True, ())]
        assert run == PhaseRun(status=P.PENDING_DEPENDENCIES, attempts=run.attempts)
        view = story.status.phases[name]
        assert (view.attempt, view.commanded, view.succeeded, view.failed) == (1, 0, 0, 0)
    changes = {(change.phase, change.before, change.after) for change in story.last.history.changes}
    assert changes == {
        ("a", "completed_with_partial_success", "dispatch_initiated"),
        ("b", "completed_with_partial_success", "pending_dependencies"),
        ("c", "dispatch_initiated", "pending_dependencies"),
    }


def test_what_was_superseded_runs_again_on_the_union_of_survivors() -> None:
    story = chain()
    story.retry("a")
    story.answer("a")
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)
    assert story.commands("b")[-1].attempt == 2
    story.answer("b")
    assert essay_ids(story.commands("c")[-1]) == list(story.slots)
    story.answer("c")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY
    assert (story.completions[0].succeeded, story.completions[0].failed) == (3, 0)
    assert story.status.failed_essays == ()


def test_an_essay_that_is_lost_upstream_now_does_not_survive_by_a_superseded_attempt() -> None:
    story = begun(phase("a"), phase("b", ["a"]), phase("c", ["b"]))
    story.answer("a", failed=[2])
    story.answer("b")
    story.retry("a", [story.slots[1]])
    story.answer("a", failed=[1])
    assert essay_ids(story.commands("b")[-1]) == [story.slots[0]]
    story.answer("b")
    assert essay_ids(story.commands("c")[-1]) == [story.slots[0]]


@pytest.mark.parametrize("name", ["b", "c"])
def test_a_late_outcome_of_a_superseded_attempt_never_counts(name: str) -> None:
    story = chain()
    story.retry("a")
    story.answer(name, attempt=1, by="late")
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)
    story.answer("a")
    story.answer(name, attempt=1, by="late")
    assert_ignored(story, Disposition.STALE, R.OTHER_ATTEMPT if name == "b" else R.PHASE_NOT_RUNNING)
    story.answer("b")
    story.answer(name, attempt=1, by="late")
    assert_ignored(story, Disposition.STALE, R.OTHER_ATTEMPT if name == "c" else R.PHASE_NOT_RUNNING)
    assert essay_ids(story.commands("c")[-1]) == list(story.slots)
    assert texts(story.commands("c")[-1]) == [f"b#2:{slot}" for slot in story.slots]


def test_a_recorded_outcome_of_a_superseded_attempt_is_a_duplicate() -> None:
    story = chain()
    story.retry("a")
    story.answer("b", failed=[1], attempt=1)
    assert_ignored(story, Disposition.DUPLICATE, R.OUTCOME_ALREADY_RECORDED)
    story.answer("a")
    story.answer("b", failed=[1], attempt=1)
    assert_ignored(story, Disposition.DUPLICATE, R.OUTCOME_ALREADY_RECORDED)


def test_a_late_outcome_of_the_attempt_that_a_retry_of_all_superseded_never_counts() -> None:
    story = givens.running()
    story.retry("a", "all")
    story.answer("a", failed=[0, 1, 2], attempt=1)
    assert_ignored(story, Disposition.STALE, R.OTHER_ATTEMPT)
    story.answer("a")
    story.answer("a", failed=[0, 1, 2], attempt=1)
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)
    assert story.status.phases["a"].status is P.COMPLETED_SUCCESSFULLY


@pytest.mark.parametrize("listed", [False, True])
def test_a_late_outcome_of_a_superseded_attempt_does_not_count_for_a_retry_that_waits_for_the_resume(
    listed: bool,  # noqa: FBT001
) -> None:
    story = givens.paused()
    story.retry("a", story.slots if listed else "all")
    story.answer("a")
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)
    story.resume()
    story.answer("a", attempt=1)
    assert_ignored(story, Disposition.STALE, R.OTHER_ATTEMPT)


@pytest.mark.parametrize(
    ("downstream", "given_status"),
    [
        ({}, P.DISPATCH_INITIATED),
        (RETRIES, P.WAITING_TO_RETRY),
        (HOLDS, P.HELD),
    ],
)
def test_a_dependant_in_whatever_status_is_pending_again(downstream: dict[str, Any], given_status: PhaseStatus) -> None:
    story = begun(phase("a"), phase("b", ["a"], **downstream))
    story.answer("a", failed=[2])
    if downstream:
        story.fail("b")
    assert story.run("b").status is given_status
    story.retry("a")
    assert story.run("b").status is P.PENDING_DEPENDENCIES
    assert story.clocks() == [("stalled", "a"), ("phase", "a")]
    story.answer("a")
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)


def test_a_skipped_dependant_is_pending_again_and_skipped_again() -> None:
    story = givens.failed()
    assert story.run("b").status is P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    story.retry("a")
    assert (story.run("b").status, story.run("b").reason) == (P.PENDING_DEPENDENCIES, None)
    story.fail("a")
    assert story.run("b").status is P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    assert story.commands("b") == []


def test_phases_beside_the_retried_one_go_on() -> None:
    story = begun(phase("a"), phase("b"), phase("c", ["a", "b"]), phase("d", ["b"]))
    story.answer("b", failed=[0])
    story.answer("a", failed=[2])
    story.retry("a")
    assert [story.run(name).status for name in "abcd"] == [
        P.DISPATCH_INITIATED,
        P.COMPLETED_WITH_PARTIAL_SUCCESS,
        P.PENDING_DEPENDENCIES,
        P.DISPATCH_INITIATED,
    ]
    assert not story.run("d").attempts[0].superseded


def test_a_phase_that_is_not_requested_passes_the_supersession_on() -> None:
    story = begun(phase("a"), phase("b", ["a"]), phase("c", ["b"]), phases_asked=["a", "c"])
    story.answer("a", failed=[0])
    assert story.run("c").status is P.DISPATCH_INITIATED
    story.retry("a")
    assert story.run("c").status is P.PENDING_DEPENDENCIES
    assert story.run("b").status is P.SKIPPED_BY_USER_CONFIG


def joined_on_any(**fields: Any) -> ClockedStory:
    """Return a story in which `c` runs on what survived `a`, and `b` beside it has ended without one essay."""
    story = begun(phase("a"), phase("b", **fields), phase("c", ["a", "b"], join="any"))
    story.answer("a", failed=[2])
    story.answer("b", failed=[1])
    return story


def test_a_dependant_on_any_that_a_retry_superseded_waits_for_the_phases_that_run_again() -> None:
    story = joined_on_any()
    story.retry("b")
    assert (story.run("c").status, len(story.commands("c"))) == (P.PENDING_DEPENDENCIES, 1)
    story.answer("b")
    assert essay_ids(story.commands("c")[-1]) == list(story.slots)
    story.answer("c")
    assert [attempt.superseded for attempt in story.run("c").attempts] == [True, False]
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES


def test_a_dependant_on_any_goes_on_without_a_phase_that_fails_again() -> None:
    story = joined_on_any()
    story.retry("b", "all")
    story.fail("b")
    assert essay_ids(story.commands("c")[-1]) == list(story.slots[:2])


def test_a_dependant_on_any_that_was_skipped_waits_for_every_phase_that_runs_again() -> None:
    story = begun(phase("a"), phase("b"), phase("c", ["a", "b"], join="any"), phase("z"))
    story.fail("a")
    story.fail("b")
    assert story.run("c").status is P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    story.retry("a", [story.slots[0]])
    story.retry("b")
    story.answer("a")
    assert story.commands("c") == []
    story.answer("b", failed=[0])
    assert essay_ids(story.commands("c")[-1]) == list(story.slots)


def test_a_dependant_on_any_that_has_not_started_starts_on_the_first_survivors_still() -> None:
    story = begun(phase("a"), phase("b"), phase("c", ["a", "b"], join="any"))
    story.retry("b", "all")
    story.answer("a", failed=[0])
    assert essay_ids(story.commands("c")[-1]) == list(story.slots[1:])


def test_a_dependant_on_any_that_is_retried_itself_starts_at_once() -> None:
    story = begun(phase("a"), phase("b"), phase("c", ["a", "b"], join="any"))
    story.answer("a")
    story.pause()
    story.retry("c", "all")
    story.resume()
    assert [command.attempt for command in story.commands("c")] == [1, 2]


def test_a_dependant_on_any_waits_through_a_pause_and_a_hold() -> None:
    story = joined_on_any(**HOLDS)
    story.pause()
    story.retry("b", "all")
    story.resume()
    story.fail("b")
    assert (story.run("b").status, story.run("c").status) == (P.HELD, P.PENDING_DEPENDENCIES)
    story.reach(DeadlineKind.HOLD, "b")
    assert essay_ids(story.commands("c")[-1]) == list(story.slots[:2])
    story.retry("b", "all")
    assert (len(story.commands("c")), story.run("c").status) == (2, P.PENDING_DEPENDENCIES)


def test_a_selection_that_waits_for_the_resume_goes_with_a_retry_upstream() -> None:
    story = chain()
    story.pause()
    story.retry("b")
    assert story.run("b").selection == (1,)
    story.retry("a")
    assert (story.run("b").status, story.run("b").selection) == (P.PENDING_DEPENDENCIES, None)
    story.resume()
    story.answer("a")
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)
