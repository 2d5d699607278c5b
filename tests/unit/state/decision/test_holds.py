"""Phases that are held instead of failed: until somebody retries them, the batch ends, or the hold does."""

from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.status import PhaseView
from tests.unit.state import givens
from tests.unit.state.clocked import HOLDS, SECOND_MS, begun, phase
from tests.unit.state.story import assert_ignored, essay_ids

R = ReasonCode
P = PhaseStatus


def test_a_phase_that_would_fail_is_held() -> None:
    story = begun(phase("a", **HOLDS), phase("b", ["a"]))
    decision = story.fail("a")
    assert (decision.disposition, decision.reason.code, decision.effects) == (Disposition.APPLIED, R.PHASE_HELD, ())
    assert (decision.reason.phase, decision.reason.status) == ("a", P.HELD.value)
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert story.run("b").status is P.PENDING_DEPENDENCIES
    assert story.run("a").reason == "peer_failed"
    assert story.status.held
    [deadline] = story.batch.deadlines
    assert (deadline.kind, deadline.phase) == (DeadlineKind.HOLD, "a")
    assert deadline.due_ms == story.now_ms + 1_000 * SECOND_MS


def test_a_held_phase_shows_why_until_somebody_asks_for_its_retry() -> None:
    story = begun(phase("a", **HOLDS))
    commanded_ms = story.now_ms
    story.fail("a")
    failed = PhaseView(
        status=P.HELD,
        attempt=1,
        commanded=3,
        failed=3,
        started_ms=commanded_ms,
        reason=PhaseReason.PEER_FAILED,
    )
    assert story.status.phases["a"] == failed
    story.pause()
    assert story.status.phases["a"] == failed
    story.retry("a")  # It starts when the batch is resumed.
    assert story.status.phases["a"] == replace(failed, status=P.PENDING_DEPENDENCIES, reason=None)


def test_a_phase_with_survivors_is_not_held() -> None:
    story = begun(phase("a", **HOLDS), phase("b", ["a"]))
    story.answer("a", failed=[0])
    assert story.run("a").status is P.COMPLETED_WITH_PARTIAL_SUCCESS
    assert len(story.commands("b")) == 1


def test_a_strict_phase_with_survivors_is_held() -> None:
    story = begun(phase("a", on_partial_failure="fail", **HOLDS), phase("b", ["a"]))
    story.answer("a", failed=[0])
    assert story.run("a").status is P.HELD
    story.retry("a")
    story.answer("a")
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)


def test_a_strict_phase_is_held_again_until_every_essay_of_it_has_succeeded() -> None:
    story = begun(phase("a", on_partial_failure="fail", **HOLDS), phase("b", ["a"]))
    story.answer("a", failed=[0, 1])
    story.retry("a", [story.slots[0]])
    decision = story.answer("a")
    assert (decision.reason.code, decision.reason.essays) == (R.PHASE_HELD, 1)
    assert (story.run("a").status, story.lost("a")) == (P.HELD, [(story.slots[1], "failed")])
    story.retry("a")
    story.answer("a")
    assert essay_ids(story.commands("b")[-1]) == list(story.slots)


def test_a_phase_that_misses_its_deadline_is_held() -> None:
    story = begun(phase("a", **HOLDS))
    decision = story.reach(DeadlineKind.PHASE, "a")
    assert (decision.reason.code, decision.reason.status) == (R.PHASE_DEADLINE_MISSED, P.HELD.value)
    assert story.run("a").status is P.HELD
    assert story.run("a").reason == "deadline_missed"


def test_a_hold_that_ends_fails_the_phase_and_skips_what_follows() -> None:
    story = begun(phase("a", **HOLDS), phase("b", ["a"]), phase("z", deadline_s=5_000))
    story.fail("a")
    decision = story.reach(DeadlineKind.HOLD, "a")
    assert (decision.reason.code, decision.reason.phase) == (R.HOLD_EXPIRED, "a")
    assert (story.run("a").status, story.run("a").reason) == (P.FAILED, "peer_failed")
    assert story.run("b").status is P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    assert story.completions == []
    story.answer("z")
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES


def test_the_last_hold_that_ends_ends_the_batch_once() -> None:
    story = givens.held()
    due = story.armed(DeadlineKind.HOLD, "a").due_ms
    story.reached(due)
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    story.reached(due)
    assert_ignored(story, Disposition.STALE, R.BATCH_ENDED)
    assert len(story.completions) == 1
    assert (story.completions[0].succeeded, story.completions[0].failed) == (0, 3)


def test_a_batch_does_not_end_while_a_phase_is_held() -> None:
    story = begun(phase("a", **HOLDS), phase("z"))
    story.fail("a")
    story.answer("z")
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert story.completions == []


def test_an_outcome_of_a_held_phase_is_stale() -> None:
    story = givens.held()
    story.answer("a")
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)


def test_a_retry_ends_the_hold_and_the_phase_can_be_held_again() -> None:
    story = givens.held()
    due = story.armed(DeadlineKind.HOLD, "a").due_ms
    story.retry("a")
    assert not story.status.held
    assert [deadline.kind for deadline in story.batch.deadlines] == [DeadlineKind.STALLED, DeadlineKind.PHASE]
    story.fail("a")
    assert story.run("a").status is P.HELD
    assert story.armed(DeadlineKind.HOLD, "a").due_ms > due
    story.reached(due)
    assert_ignored(story, Disposition.STALE, R.DEADLINE_NOT_ARMED)
    assert story.run("a").status is P.HELD
