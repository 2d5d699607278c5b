"""Deadlines that are reached, as a table; repeated, doubled, early and late; several at once; and the purge."""

import pytest

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.history import NO_VERSION
from tests.unit.state import givens
from tests.unit.state.clocked import RETRIES, SECOND_MS, ClockedStory, begun, phase
from tests.unit.state.givens import ENDED, LIVE, Given
from tests.unit.state.story import assert_ignored

R = ReasonCode
P = PhaseStatus
K = DeadlineKind

REACHED: list[tuple[Given, DeadlineKind, str, ReasonCode, BatchStatus, str]] = [
    (givens.waiting, K.NEVER_PROVISIONED, "", R.NEVER_PROVISIONED, BatchStatus.FAILED_CRITICALLY, "cancelled"),
    (givens.matching, K.NEVER_PROVISIONED, "", R.NEVER_PROVISIONED, BatchStatus.FAILED_CRITICALLY, "cancelled"),
    (givens.running, K.STALLED, "a", R.PHASE_STALLED, BatchStatus.PROCESSING_PIPELINES, "dispatch_initiated"),
    (givens.running, K.PHASE, "a", R.PHASE_DEADLINE_MISSED, BatchStatus.FAILED_CRITICALLY, "failed"),
    (givens.stalled, K.PHASE, "a", R.PHASE_DEADLINE_MISSED, BatchStatus.FAILED_CRITICALLY, "failed"),
    (givens.partial, K.PHASE, "b", R.PHASE_DEADLINE_MISSED, BatchStatus.COMPLETED_WITH_FAILURES, "partial"),
    (givens.second_attempt, K.PHASE, "a", R.PHASE_DEADLINE_MISSED, BatchStatus.PROCESSING_PIPELINES, "waiting"),
    (givens.backing_off, K.RETRY_BACKOFF, "a", R.RETRY_STARTED, BatchStatus.PROCESSING_PIPELINES, "dispatch_initiated"),
    (givens.held, K.HOLD, "a", R.HOLD_EXPIRED, BatchStatus.FAILED_CRITICALLY, "failed"),
]
"""A batch, the deadline that is reached, the reason, the batch's status after it, and that of its phase `a`."""
STATUSES = {"partial": "completed_with_partial_success", "waiting": "waiting_to_retry"}


@pytest.mark.parametrize(("given", "kind", "name", "code", "status", "phase_status"), REACHED)
def test_a_deadline_is_reached(
    given: Given, kind: DeadlineKind, name: str, code: ReasonCode, status: BatchStatus, phase_status: str
) -> None:
    story = given()
    decision = story.reach(kind, name)
    assert (decision.disposition, decision.reason.code) == (Disposition.APPLIED, code)
    assert decision.reason.phase == (name or None)
    assert story.batch.status is status
    if kind is not K.NEVER_PROVISIONED:
        assert story.run("a").status == STATUSES.get(phase_status, phase_status)
    assert len(story.completions) == int(status.terminal)
    assert story.batch.version == story.last.event.version
    assert story.last.history.actor is None


def test_a_phase_that_is_flagged_as_stalled_has_given_no_results_yet() -> None:
    story = givens.running()
    story.reach(K.STALLED, "a")
    assert story.run("a").stalled
    assert (story.last.history.succeeded, story.last.history.failed) == (0, 0)


@pytest.mark.parametrize(("given", "kind", "name"), [row[:3] for row in REACHED])
@pytest.mark.parametrize("late_s", [0, 7])
def test_a_deadline_acts_once(given: Given, kind: DeadlineKind, name: str, late_s: int) -> None:
    story = given()
    due = story.armed(kind, name).due_ms
    story.reached(due, time_ms=due + late_s * SECOND_MS)
    batch, effects = story.batch, len(story.effects)
    for time_ms in (due, due + 60 * SECOND_MS):
        story.reached(due, time_ms=time_ms)
        told = story.last
        assert told.decision.disposition is Disposition.STALE
        assert told.decision.reason.code in (R.DEADLINE_NOT_ARMED, R.BATCH_ENDED)
    assert story.batch is batch or story.batch == batch
    assert len(story.effects) == effects


@pytest.mark.parametrize(("given", "kind", "name"), [row[:3] for row in REACHED])
def test_a_deadline_that_comes_before_its_time_is_stale(given: Given, kind: DeadlineKind, name: str) -> None:
    story = given()
    due = story.armed(kind, name).due_ms
    story.reached(due, time_ms=0)
    assert story.last.event.time_ms < due
    assert_ignored(story, Disposition.STALE, R.DEADLINE_NOT_ARMED)


@pytest.mark.parametrize("given", LIVE, ids=lambda given: given.__name__)
def test_a_time_before_every_deadline_reaches_none(given: Given) -> None:
    story = given()
    story.reached(story.now_ms)
    code = R.BATCH_PAUSED if given is givens.paused else R.DEADLINE_NOT_ARMED
    assert_ignored(story, Disposition.STALE, code)


@pytest.mark.parametrize("given", ENDED, ids=lambda given: given.__name__)
def test_a_deadline_of_an_ended_batch_is_stale(given: Given) -> None:
    story = given()
    story.reached(story.now_ms + 3_000 * SECOND_MS)
    assert_ignored(story, Disposition.STALE, R.BATCH_ENDED)


# ------------------------------------------------------------------------------------------------------- what they do


def test_a_stalled_phase_goes_on_and_its_outcome_clears_the_flag() -> None:
    story = givens.running()
    decision = story.reach(K.STALLED, "a")
    assert (decision.reason.phase, decision.reason.attempt, decision.effects) == ("a", 1, ())
    assert story.clocks() == [("phase", "a")]
    assert (story.status.stalled, story.status.phases["a"].stalled) == (True, True)
    story.answer("a")
    assert (story.status.stalled, story.status.phases["a"].stalled) == (False, False)


def test_essays_of_an_attempt_that_missed_its_deadline_are_lost() -> None:
    story = givens.partial()
    story.reach(K.PHASE, "b")
    lost = {(essay.essay_id, essay.phase, essay.reason) for essay in story.status.failed_essays}
    assert lost == {
        (story.slots[2], "a", "failed"),
        (story.slots[0], "b", "no_outcome"),
        (story.slots[1], "b", "no_outcome"),
    }
    assert story.status.phases["b"].reason == "deadline_missed"
    assert story.last.history.failed == 2
    assert story.completions[0].succeeded == 0


def test_an_attempt_that_missed_its_deadline_fails_what_follows() -> None:
    story = begun(phase("a"), phase("b", ["a"]), phase("z"))
    story.reach(K.PHASE, "a")
    assert story.run("b").status is P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE
    # `z` was commanded at the same time, so its deadline is due too, and its stalled flag is of an ended attempt.
    assert story.run("z").status is P.FAILED
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY


def test_a_late_outcome_of_a_phase_that_missed_its_deadline_is_stale() -> None:
    story = begun(phase("a"), phase("z", deadline_s=500))
    story.reach(K.PHASE, "a")
    story.answer("a")
    assert_ignored(story, Disposition.STALE, R.PHASE_NOT_RUNNING)


def test_an_outcome_beats_the_deadline_that_comes_after_it() -> None:
    story = givens.running()
    due = story.armed(K.PHASE, "a").due_ms
    story.answer("a")
    story.reached(due)
    assert story.run("a").status is P.COMPLETED_SUCCESSFULLY
    assert story.last.decision.reason.phase == "b"


def test_a_batch_that_was_never_provisioned_says_so() -> None:
    story = givens.waiting()
    decision = story.reach(K.NEVER_PROVISIONED)
    assert decision.reason.unaccounted == 3
    assert story.status.reason == "never_provisioned"
    assert {view.status.terminal for view in story.status.phases.values()} == {True}
    assert (story.completions[0].succeeded, story.completions[0].failed) == (0, 3)
    story.ready()
    assert_ignored(story, Disposition.STALE, R.BATCH_ENDED)


# ---------------------------------------------------------------------------------------------------- several at once


def test_all_deadlines_up_to_the_time_act_the_earliest_first() -> None:
    story = begun(phase("a", deadline_s=60, **RETRIES), phase("b", stalled_after_s=30), phase("c", stalled_after_s=90))
    due = story.armed(K.PHASE, "a").due_ms
    decision = story.reached(due)
    assert decision.reason.code is R.PHASE_DEADLINE_MISSED
    assert story.run("a").status is P.WAITING_TO_RETRY
    assert not story.run("a").stalled
    assert story.run("b").stalled
    assert not story.run("c").stalled
    assert story.clocks() == [("retry_backoff", "a"), ("stalled", "c"), ("phase", "b"), ("phase", "c")]


def test_all_commands_of_one_time_go_out_in_the_order_of_their_deadlines() -> None:
    story = begun(phase("a", **RETRIES), phase("b", **RETRIES))
    story.fail("b")
    story.fail("a")
    backoffs = [name for _, name in story.clocks()]
    assert sorted(backoffs) == ["a", "b"]
    decision = story.reached(story.now_ms + 60 * SECOND_MS)
    assert list(decision.effects) == [story.commands(name)[1] for name in backoffs]


def test_a_deadline_that_ends_the_batch_leaves_the_others_nothing_to_do() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    due = story.armed(K.PHASE, "a").due_ms
    story.reached(due, time_ms=due + 10_000 * SECOND_MS)
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert story.clocks() == [("purge", "")]
    assert len(story.completions) == 1


def test_a_phase_that_ends_at_the_time_of_its_flag_is_not_flagged() -> None:
    story = begun(phase("a", stalled_after_s=20, deadline_s=20), phase("z"))
    story.reach(K.PHASE, "a")
    assert story.run("a").status is P.FAILED
    assert not story.run("a").stalled
    assert story.last.decision.reason.code is R.PHASE_STALLED  # of `z`, which is flagged at this time too
    assert story.last.decision.reason.phase == "z"


def test_a_command_of_this_event_has_its_whole_time() -> None:
    story = givens.backing_off()
    due = story.armed(K.RETRY_BACKOFF, "a").due_ms
    story.reached(due, time_ms=due + 50_000 * SECOND_MS)
    now = story.now_ms
    assert [deadline.due_ms for deadline in story.batch.deadlines] == [now + 20 * SECOND_MS, now + 100 * SECOND_MS]
    assert not story.run("a").stalled


# ------------------------------------------------------------------------------------------------------------ purge


@pytest.mark.parametrize("given", ENDED, ids=lambda given: given.__name__)
def test_an_ended_batch_is_purged(given: Given) -> None:
    story = given()
    before = story.batch
    decision = story.reach(K.PURGE)
    assert (decision.batch, decision.effects) == (None, ())
    assert (decision.disposition, decision.reason.code) == (Disposition.APPLIED, R.BATCH_PURGED)
    assert story.last.history.based_on == before.version
    assert story.last.history.version == NO_VERSION


def test_the_twin_of_a_purge_finds_no_batch() -> None:
    story = givens.completed()
    due = story.armed(K.PURGE).due_ms
    story.reached(due)
    decision = story.reached(due)
    assert (decision.batch, decision.effects) == (None, ())
    assert (decision.disposition, decision.reason.code) == (Disposition.STALE, R.NO_BATCH_LEFT)


def test_a_deadline_without_a_batch_is_stale() -> None:
    story = ClockedStory()
    story.reached(0)
    assert (story.last.decision.disposition, story.last.decision.reason.code) == (Disposition.STALE, R.NO_BATCH_LEFT)


def test_a_batch_that_is_registered_again_after_its_purge_is_another_life() -> None:
    story = givens.completed()
    first = story.effects[0].event_id
    story.reach(K.PURGE)
    story.slots = ()
    story.register()
    assert story.batch.registered_version == story.last.event.version
    assert story.effects[-1].event_id != first
    story.ready()
    story.answer("a")
    story.answer("b")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY
