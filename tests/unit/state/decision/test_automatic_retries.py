"""Attempts that follow by themselves: after which failures, on which essays, and when."""

from typing import Any

import pytest

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from tests.unit.state import givens
from tests.unit.state.clocked import HOLDS, RETRIES, SECOND_MS, ClockedStory, begun, phase
from tests.unit.state.story import assert_ignored, essay_ids, texts

R = ReasonCode
P = PhaseStatus
BACKOFF = DeadlineKind.RETRY_BACKOFF


def work(**fields: Any) -> ClockedStory:
    """Return a story whose phase `a` runs, with three attempts by itself, and `b` after it."""
    return begun(phase("a", **{**RETRIES, **fields}), phase("b", ["a"]))


def test_essays_that_failed_are_commanded_again_after_the_backoff() -> None:
    story = work()
    decision = story.answer("a", failed=[1, 2])
    assert (decision.disposition, decision.effects) == (Disposition.APPLIED, ())
    assert decision.reason.code is R.RETRY_SCHEDULED
    assert (decision.reason.phase, decision.reason.attempt) == ("a", 1)
    assert decision.reason.status == P.WAITING_TO_RETRY.value
    assert story.run("a").status is P.WAITING_TO_RETRY
    assert story.run("b").status is P.PENDING_DEPENDENCIES
    [deadline] = story.batch.deadlines
    assert (deadline.kind, deadline.phase, deadline.attempt) == (BACKOFF, "a", 2)
    assert 8 * SECOND_MS <= deadline.due_ms - story.now_ms < 12 * SECOND_MS
    assert decision.reason.due_ms == deadline.due_ms
    assert story.status.phases["a"].retry_due_ms == deadline.due_ms
    decision = story.reach(BACKOFF, "a")
    assert (decision.reason.code, decision.reason.phase, decision.reason.attempt) == (R.RETRY_STARTED, "a", 2)
    assert decision.reason.essays == 2
    command = story.commands("a")[-1]
    assert (command.attempt, essay_ids(command)) == (2, list(story.slots[1:]))
    assert story.clocks() == [("stalled", "a"), ("phase", "a")]


def test_survivors_of_all_attempts_go_on_together() -> None:
    story = givens.second_attempt()
    story.answer("a", failed=[2])
    story.reach(BACKOFF, "a")
    assert essay_ids(story.commands("a")[-1]) == [story.slots[2]]
    story.answer("a")
    assert story.run("a").status is P.COMPLETED_SUCCESSFULLY
    command = story.commands("b")[-1]
    assert texts(command) == [f"a#{number}:{slot}" for number, slot in zip((1, 2, 3), story.slots, strict=True)]
    story.answer("b")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY


def test_the_last_attempt_is_followed_by_none() -> None:
    story = work()
    for number in (1, 2):
        story.answer("a", failed=[2])
        assert story.run("a").status is P.WAITING_TO_RETRY
        story.reach(BACKOFF, "a")
        assert len(story.commands("a")) == number + 1
    decision = story.answer("a", failed=[2])
    assert decision.reason.code is R.PHASE_COMPLETED
    assert story.run("a").status is P.COMPLETED_WITH_PARTIAL_SUCCESS
    assert essay_ids(story.commands("b")[-1]) == list(story.slots[:2])
    assert [(lost.essay_id, lost.phase) for lost in story.status.failed_essays] == [(story.slots[2], "a")]


def test_a_phase_whose_attempts_all_failed_has_failed() -> None:
    story = work()
    for _ in range(2):
        story.fail("a")
        story.reach(BACKOFF, "a")
    decision = story.fail("a")
    assert decision.reason.code is R.PHASE_FAILED
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert (story.completions[0].succeeded, story.completions[0].failed) == (0, 3)


def test_each_backoff_is_twice_the_one_before_times_a_factor_of_its_own() -> None:
    story = work(max_attempts=4)
    waits: list[int] = []
    for _ in range(3):
        story.fail("a")
        waits.append(story.armed(BACKOFF, "a").due_ms - story.now_ms)
        story.reach(BACKOFF, "a")
    # To the millisecond: a batch that is decided again, by whatever release, has the same deadlines.
    assert waits == [10_445, 19_153, 43_570]


@pytest.mark.parametrize(
    "fields",
    [{"max_attempts": 1}, {"echoes_attempt": False}, {"max_attempts": 1, "echoes_attempt": False}],
)
def test_a_phase_that_is_not_declared_so_is_not_retried(fields: dict[str, Any]) -> None:
    story = work(**fields)
    story.answer("a", failed=[0])
    assert story.run("a").status is P.COMPLETED_WITH_PARTIAL_SUCCESS
    assert len(story.commands("b")) == 1


def test_what_the_peer_says_would_fail_again_is_not_retried() -> None:
    story = work()
    story.answer("a", failed=[0, 1], retryable=False)
    assert story.run("a").status is P.COMPLETED_WITH_PARTIAL_SUCCESS


def test_essays_that_would_fail_again_are_left_out() -> None:
    story = work()
    story.answer("a", failed=[0, 1], not_retryable=[0])
    story.reach(BACKOFF, "a")
    assert essay_ids(story.commands("a")[-1]) == [story.slots[1]]
    story.answer("a")
    assert story.run("a").status is P.COMPLETED_WITH_PARTIAL_SUCCESS
    assert essay_ids(story.commands("b")[-1]) == list(story.slots[1:])


def test_an_attempt_that_lost_only_essays_that_would_fail_again_is_followed_by_none() -> None:
    story = work()
    story.answer("a", failed=[0, 1], not_retryable=[0, 1])
    assert story.run("a").status is P.COMPLETED_WITH_PARTIAL_SUCCESS


def test_essays_that_would_fail_again_can_be_retried_by_a_person() -> None:
    story = work()
    story.answer("a", failed=[0, 1], not_retryable=[0, 1])
    story.retry("a")
    assert essay_ids(story.commands("a")[-1]) == list(story.slots[:2])


def test_a_strict_phase_is_retried_before_it_fails() -> None:
    story = work(on_partial_failure="fail")
    story.answer("a", failed=[0])
    story.reach(BACKOFF, "a")
    story.answer("a")
    assert story.run("a").status is P.COMPLETED_SUCCESSFULLY
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)


def test_an_attempt_that_misses_its_deadline_is_retried_on_all_its_essays() -> None:
    story = work()
    story.reach(DeadlineKind.STALLED, "a")
    decision = story.reach(DeadlineKind.PHASE, "a")
    assert (decision.reason.code, decision.reason.status) == (R.PHASE_DEADLINE_MISSED, P.WAITING_TO_RETRY.value)
    assert not story.run("a").stalled
    assert {(lost.reason, lost.phase) for lost in story.status.failed_essays} == {("no_outcome", "a")}
    story.reach(BACKOFF, "a")
    assert essay_ids(story.commands("a")[-1]) == list(story.slots)
    assert story.status.failed_essays == ()


def test_a_retry_that_is_scheduled_is_held_by_nothing_but_its_last_attempt() -> None:
    story = begun(phase("a", **RETRIES, **HOLDS), phase("b", ["a"]))
    for _ in range(2):
        story.fail("a")
        assert story.run("a").status is P.WAITING_TO_RETRY
        story.reach(BACKOFF, "a")
    story.fail("a")
    assert story.run("a").status is P.HELD


# -------------------------------------------------------------------------------------------------- late and repeated


def test_a_backoff_that_is_reached_twice_starts_one_attempt() -> None:
    story = givens.backing_off()
    due = story.armed(BACKOFF, "a").due_ms
    story.reached(due)
    story.reached(due)
    assert_ignored(story, Disposition.STALE, R.DEADLINE_NOT_ARMED)
    assert len(story.commands("a")) == 2


@pytest.mark.parametrize("again", [givens.backing_off, givens.second_attempt], ids=lambda given: given.__name__)
def test_an_outcome_of_the_attempt_before_is_a_duplicate(again: givens.Given) -> None:
    story = again()
    story.answer("a", failed=[1, 2], attempt=1)
    assert_ignored(story, Disposition.DUPLICATE, R.OUTCOME_ALREADY_RECORDED)


def test_a_late_outcome_of_an_attempt_that_missed_its_deadline_never_counts() -> None:
    story = work()
    story.reach(DeadlineKind.PHASE, "a")
    story.answer("a", attempt=1)
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)
    story.reach(BACKOFF, "a")
    story.answer("a", attempt=1)
    assert_ignored(story, Disposition.STALE, R.OTHER_ATTEMPT)
    story.answer("a", failed=[0], not_retryable=[0])
    story.answer("a", attempt=1)
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)
    assert essay_ids(story.commands("b")[-1]) == list(story.slots[1:])


def test_a_retry_by_a_person_goes_before_the_backoff() -> None:
    story = givens.backing_off()
    due = story.armed(BACKOFF, "a").due_ms
    story.retry("a")
    story.reached(due)
    assert story.last.decision.reason.code is R.DEADLINE_NOT_ARMED
    assert len(story.commands("a")) == 2


def test_attempts_that_were_superseded_do_not_count_for_the_next_ones() -> None:
    story = begun(phase("a"), phase("b", ["a"], **RETRIES))
    story.answer("a", failed=[2])
    for _ in range(2):
        story.fail("b")
        story.reach(BACKOFF, "b")
    story.retry("a")
    story.answer("a")
    story.fail("b")
    assert story.run("b").status is P.WAITING_TO_RETRY
    assert 8 * SECOND_MS <= story.armed(BACKOFF, "b").due_ms - story.now_ms < 12 * SECOND_MS
    story.reach(BACKOFF, "b")
    assert story.commands("b")[-1].attempt == 5
