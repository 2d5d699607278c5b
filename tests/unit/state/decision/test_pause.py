"""A pause: what stands still in it, what does not, and how a resume goes on."""

import pytest

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import EssayRef
from schemas.internal.records import NEXT_DEADLINE_MS, status_outgoing
from schemas.internal.status import Pause
from tests.unit.state import givens
from tests.unit.state.clocked import HOLDS, RETRIES, SECOND_MS, ClockedStory, assert_refused, begun, phase
from tests.unit.state.givens import LIVE, Given
from tests.unit.state.story import essay_ids, refs

R = ReasonCode


@pytest.mark.parametrize("given", [given for given in LIVE if given is not givens.paused], ids=lambda g: g.__name__)
def test_a_pause_turns_each_deadline_into_what_is_left_and_a_resume_arms_it_with_that(given: Given) -> None:
    story = given()
    armed = story.batch.deadlines
    story.pause(reason="holidays")
    at = story.now_ms
    assert [deadline.due_ms for deadline in story.batch.deadlines] == [deadline.due_ms - at for deadline in armed]
    assert story.batch.pause is not None
    assert (story.batch.pause.since_ms, story.batch.pause.by, story.batch.pause.reason) == (at, "teacher", "holidays")
    story.wait(1_000_000)
    story.resume()
    passed = story.now_ms - at
    kept = {(deadline.kind, deadline.phase): deadline.due_ms for deadline in armed}
    for deadline in story.batch.deadlines:
        assert deadline.due_ms == kept[deadline.kind, deadline.phase] + passed
    assert len(story.batch.deadlines) == len(armed)


def test_a_deadline_that_was_due_before_the_pause_is_due_at_the_resume() -> None:
    story = givens.running()
    story.wait(1_000)
    story.pause()
    assert {deadline.due_ms for deadline in story.batch.deadlines} == {0}
    story.resume()
    assert {deadline.due_ms for deadline in story.batch.deadlines} == {story.now_ms}
    assert story.reached(story.now_ms).disposition is Disposition.APPLIED


def test_a_paused_batch_has_no_next_deadline_in_its_header() -> None:
    story = givens.running()
    assert NEXT_DEADLINE_MS in dict(status_outgoing(story.status).headers)
    story.pause()
    assert NEXT_DEADLINE_MS not in dict(status_outgoing(story.status).headers)
    story.resume()
    headers = dict(status_outgoing(story.status).headers)
    assert headers[NEXT_DEADLINE_MS] == b"%d" % story.batch.deadlines[0].due_ms
    story.pause()
    story.cancel()
    assert NEXT_DEADLINE_MS in dict(status_outgoing(story.status).headers)


def test_no_deadline_is_reached_while_a_batch_is_paused() -> None:
    story = givens.running()
    due = story.armed(DeadlineKind.PHASE, "a").due_ms
    story.pause()
    story.reached(due)
    story.reached(story.armed(DeadlineKind.PHASE, "a").due_ms)
    for told in story.told[-2:]:
        assert (told.decision.disposition, told.decision.reason.code) == (Disposition.STALE, R.BATCH_PAUSED)
        assert told.decision.batch is told.before


def test_a_deadline_from_before_the_pause_is_not_armed_after_it() -> None:
    story = givens.running()
    due = story.armed(DeadlineKind.STALLED, "a").due_ms
    story.pause()
    story.wait(1_000)
    story.resume()
    story.reached(due)
    assert story.last.decision.reason.code is R.DEADLINE_NOT_ARMED


def test_an_outcome_in_a_pause_is_recorded_and_the_next_phase_starts_at_the_resume() -> None:
    story = givens.paused()
    decision = story.answer("a", failed=[0])
    assert (decision.disposition, decision.effects) == (Disposition.APPLIED, ())
    assert story.run("a").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert story.run("b").status is PhaseStatus.PENDING_DEPENDENCIES
    story.resume()
    assert story.run("b").status is PhaseStatus.DISPATCH_INITIATED
    assert essay_ids(story.commands("b")[0]) == list(story.slots[1:])
    assert story.last.history.changes[0].phase == "b"
    assert story.commands("b")[0].time_ms == story.now_ms


def test_an_end_that_outcomes_lead_to_happens_in_a_pause() -> None:
    story = givens.succeeded()
    story.pause()
    story.answer("b")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY
    assert story.batch.pause is None
    assert len(story.completions) == 1
    story.resume()
    assert_refused(story, R.BATCH_ENDED)


def test_a_failure_in_a_pause_skips_what_follows_and_ends_the_batch() -> None:
    story = givens.paused()
    story.fail("a")
    assert story.run("b").status is PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert story.clocks() == [("purge", "")]
    assert story.batch.deadlines[0].due_ms == story.now_ms + 5_000 * SECOND_MS


def test_essays_that_come_in_a_pause_are_commanded_at_the_resume() -> None:
    story = givens.waiting()
    story.pause()
    story.ready()
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert story.commands("a") == []
    assert story.clocks() == []
    story.resume()
    assert essay_ids(story.commands("a")[0]) == list(story.slots)
    assert story.clocks() == [("stalled", "a"), ("phase", "a")]


def test_a_resume_before_the_essays_came_starts_nothing() -> None:
    story = givens.waiting()
    story.pause()
    story.resume()
    assert story.commands("a") == []
    assert story.clocks() == [("never_provisioned", "")]
    story.ready()
    assert len(story.commands("a")) == 1


def test_the_students_of_a_class_are_matched_at_the_resume() -> None:
    story = givens.matching()
    class_batch = ClockedStory(story.registration.pipeline, context=story.registration.context)
    class_batch.register()
    class_batch.pause()
    content = (EssayRef(class_batch.slots[1], "text", {"word_count": 7}), *refs(class_batch.slots[:1]))
    class_batch.provisioned(content)
    assert class_batch.matchings == []
    class_batch.resume()
    assert [command.essays for command in class_batch.matchings] == [content]
    assert class_batch.batch.status is BatchStatus.AWAITING_STUDENT_VALIDATION
    assert (class_batch.batch.essays, class_batch.batch.metrics) == ((), {})  # The ready event brings them again.
    class_batch.pause()
    class_batch.resume()
    assert len(class_batch.matchings) == 1


def test_a_retrys_clock_stands_in_a_pause() -> None:
    story = givens.backing_off()
    armed = story.armed(DeadlineKind.RETRY_BACKOFF, "a")
    story.pause()
    left = armed.due_ms - story.now_ms
    story.wait(1_000)
    story.resume()
    assert story.armed(DeadlineKind.RETRY_BACKOFF, "a").due_ms == story.now_ms + left
    story.reach(DeadlineKind.RETRY_BACKOFF, "a")
    assert len(story.commands("a")) == 2


def test_an_attempt_that_fails_in_a_pause_has_its_whole_backoff_left() -> None:
    story = begun(phase("a", **RETRIES))
    story.pause()
    story.fail("a")
    [deadline] = story.batch.deadlines
    assert (deadline.kind, deadline.phase) == (DeadlineKind.RETRY_BACKOFF, "a")
    assert 8 * SECOND_MS <= deadline.due_ms < 12 * SECOND_MS
    story.wait(500)
    story.resume()
    assert story.armed(DeadlineKind.RETRY_BACKOFF, "a").due_ms == story.now_ms + deadline.due_ms


def test_a_phase_that_is_held_in_a_pause_has_its_whole_hold_left() -> None:
    story = begun(phase("a", **HOLDS))
    story.pause()
    story.fail("a")
    [deadline] = story.batch.deadlines
    assert (deadline.kind, deadline.due_ms) == (DeadlineKind.HOLD, 1_000 * SECOND_MS)
    story.resume()
    assert story.armed(DeadlineKind.HOLD, "a").due_ms == story.now_ms + 1_000 * SECOND_MS


def test_a_hold_stands_in_a_pause() -> None:
    story = givens.held()
    story.pause()
    story.wait(100_000)
    story.resume()
    assert story.run("a").status is PhaseStatus.HELD
    story.reach(DeadlineKind.HOLD, "a")
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY


def test_a_retry_in_a_pause_starts_at_the_resume() -> None:
    story = givens.failed()
    story.pause()
    decision = story.retry("a", [story.slots[1]])
    assert (decision.disposition, decision.reason.code, decision.effects) == (Disposition.APPLIED, R.RETRY_STARTED, ())
    assert story.run("a").status is PhaseStatus.PENDING_DEPENDENCIES
    assert story.run("a").selection == (1,)
    story.retry("a")
    assert_refused(story, R.PHASE_RUNNING)
    story.resume()
    assert essay_ids(story.commands("a")[-1]) == [story.slots[1]]
    assert story.run("a").selection is None


def test_a_paused_batch_says_so_to_its_readers() -> None:
    story = givens.running()
    story.pause(reason="holidays")
    paused = Pause(since_ms=story.now_ms, by="teacher", reason="holidays")
    assert (story.status.pause, story.status.deadlines) == (paused, ())
    story.resume()
    assert (story.status.pause, story.status.deadlines) == (None, story.batch.deadlines)


@pytest.mark.parametrize("failed", [(), (2,)])
def test_no_essay_came_through_a_phase_that_was_to_run_again_and_never_did(failed: tuple[int, ...]) -> None:
    story = begun(phase("a"), phase("z"))
    story.fail("a")
    story.pause()
    story.retry("a", "all")
    story.answer("z", failed=failed)
    assert story.status.counts.succeeded == 3 - len(failed)
    story.cancel()
    [completed] = story.completions
    assert (completed.succeeded, completed.failed) == (0, 3)
    assert (story.status.counts.succeeded, story.status.counts.failed) == (0, 3)


def test_no_essay_came_through_a_phase_that_never_ran() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.pause()
    story.answer("a")
    story.cancel()
    assert (story.completions[0].succeeded, story.completions[0].failed) == (0, 3)
    assert (story.status.counts.succeeded, story.status.counts.failed) == (0, 3)


def test_of_two_clocks_that_were_overdue_when_a_pause_began_the_earlier_acts_first_after_it() -> None:
    story = begun(phase("a", **RETRIES), phase("b", deadline_s=100), phase("c"))
    story.fail("a")
    story.answer("c", failed=[2])
    backoff, deadline = story.armed(DeadlineKind.RETRY_BACKOFF, "a"), story.armed(DeadlineKind.PHASE, "b")
    assert backoff.due_ms < deadline.due_ms
    story.wait(1_000)
    story.pause()
    story.retry("c", "all")
    [command] = story.resume().effects
    assert command == story.commands("c")[-1]
    kinds = [armed.kind for armed in story.batch.deadlines if armed.due_ms == story.now_ms]
    assert kinds.index(DeadlineKind.RETRY_BACKOFF) < kinds.index(DeadlineKind.PHASE)
