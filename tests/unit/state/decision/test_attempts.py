"""Phases with several attempts: which of them an outcome answers, and what they come to together."""

import pytest
from msgspec.structs import replace

from schemas.ids import attempt_correlation_id
from schemas.internal.enums import (
    BatchStatus,
    DeadlineKind,
    Disposition,
    LostReason,
    PhaseReason,
    PhaseStatus,
    ReasonCode,
)
from schemas.internal.events import EssayRef
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import Deadline, FailedEssay, Pause, PhaseView
from state.batch import Essay
from state.decision.attempts import lost, supersede, survivors
from state.decision.ending import end
from state.decision.records import status_record
from tests.unit.state.story import CORRELATION, Story, assert_ignored, pipeline, started

CANCELLED = PhaseReason.CANCELLED


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


def test_each_attempts_command_has_an_id_and_a_correlation_of_its_own() -> None:
    story = started(pipeline(a=(), b=()))
    story.outcome("a", failed=story.slots[2:])
    (first,), second = story.commands("a"), story.again("a")
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.event_id != second.event_id
    assert (first.correlation_id, second.correlation_id) == (CORRELATION, correlation(story, 2))


def test_a_selection_holds_for_one_attempt() -> None:
    story = retried(only=1)
    assert story.run("a").selection is None
    story.outcome("a", failed=story.slots[2:], by="second")
    assert story.again("a").essays == tuple(EssayRef(slot, f"upload:{slot}") for slot in story.slots)


def test_survivors_of_several_attempts_merge() -> None:
    story = retried(only=1)
    story.outcome("a", by="second")
    view = story.status.phases["a"]
    assert (view.status, view.commanded, view.succeeded, view.failed) == (PhaseStatus.COMPLETED_SUCCESSFULLY, 3, 3, 0)
    assert survivors(story.batch, "a") == (0, 1, 2)
    assert lost(story.batch, "a") == ()


def test_of_several_attempts_the_newest_on_an_essay_counts() -> None:
    story = started(pipeline(a=(), b=()))
    story.outcome("a", failed=story.slots[2:])
    story.again("a", only=story.slots[1:])
    story.outcome("a", ok=story.slots[2:], failed=story.slots[1:2], by="second")
    assert story.run("a").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert survivors(story.batch, "a") == (0, 2)
    assert story.lost("a") == [(story.slots[1], "failed")]


def test_an_attempt_without_survivors_leaves_those_of_an_earlier_one() -> None:
    story = retried(only=1)
    decision = story.outcome("a", ok=[], by="second")
    assert (decision.reason.code, decision.reason.essays) == (ReasonCode.PHASE_COMPLETED, 0)
    assert story.run("a").status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert story.run("a").reason is None
    assert story.run("a").attempts[1].reason is PhaseReason.PEER_FAILED
    assert survivors(story.batch, "a") == (0, 1)


def test_essays_of_a_running_attempt_have_neither_succeeded_nor_failed() -> None:
    story = retried(only=1)
    view = story.status.phases["a"]
    assert (view.status, view.commanded, view.succeeded, view.failed) == (PhaseStatus.DISPATCH_INITIATED, 3, 2, 0)
    assert (view.attempt, view.completed_ms) == (2, None)
    assert story.status.failed_essays == ()
    assert story.status.counts.failed == 0


def test_superseded_attempts_do_not_count_and_their_outcomes_are_still_known() -> None:
    story = retried()
    assert [attempt.superseded for attempt in story.run("a").attempts] == [True, False]
    assert story.run("a").texts == {}
    assert story.status.phases["a"].commanded == 3
    assert (survivors(story.batch, "a"), lost(story.batch, "a")) == ((), ())
    story.outcome("a", failed=story.slots[2:])
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)


def test_a_phase_whose_attempts_are_all_superseded_shows_none_of_their_facts() -> None:
    story = started(pipeline(a=(), b=()))
    story.outcome("a", ok=[*story.slots[:2], "foreign"], failed=story.slots[2:])
    run = replace(supersede(story.run("a")), status=PhaseStatus.PENDING_DEPENDENCIES)
    story.current = replace(story.batch, phases={**story.batch.phases, "a": run})
    assert story.status.phases["a"] == PhaseView(status=PhaseStatus.PENDING_DEPENDENCIES, attempt=1)


def test_the_stub_keeps_what_all_attempts_together_lost_and_counts_each_essay_once() -> None:
    story = retried(only=2)
    story.outcome("a", ok=story.slots[2:], failed=story.slots[1:2], by="second")
    story.outcome("b", failed=story.slots[:1])
    assert story.batch.status.terminal
    assert story.batch.essays == (Essay(0, ""), Essay(1, ""))
    assert story.lost("a") == [(story.slots[1], "failed")]
    assert story.lost("b") == [(story.slots[0], "failed")]
    view = story.status.phases["a"]
    assert (view.attempt, view.commanded, view.succeeded, view.failed) == (2, 3, 2, 1)
    assert (story.status.counts.succeeded, story.status.counts.failed) == (1, 2)
    assert story.last.history.failed_essays == (FailedEssay(story.slots[0], "b", LostReason.FAILED),)
    assert story.last.history.succeeded == 2


def test_the_end_cuts_off_what_runs_and_clears_what_was_stalled() -> None:
    story = retried(only=1)
    run = replace(story.run("a"), stalled=True)
    story.current = replace(story.batch, phases={**story.batch.phases, "a": run})
    assert story.status.stalled is True
    batch, _ = end(
        story.batch, story.last.event, BatchStatus.CANCELLED, phases=PhaseStatus.CANCELLED, phase_reason=CANCELLED
    )
    story.current = batch
    assert status_record(batch).stalled is False
    assert {run.status for run in batch.phases.values()} == {PhaseStatus.CANCELLED}
    assert {run.reason for run in batch.phases.values()} == {CANCELLED}
    assert story.lost("a") == [(story.slots[2], "cancelled")]
    assert story.lost("b") == [(slot, "cancelled") for slot in story.slots]
    assert story.status.phases["a"].succeeded == 2
    assert batch.phases["a"].attempts[0].lost == ()


ANY = PipelineDefinition(
    name="any",
    version=1,
    phases=(
        PhaseDefinition(name="a"),
        PhaseDefinition(name="b"),
        PhaseDefinition(name="c", after=("a", "b"), join="any"),
    ),
)


def test_a_phase_that_joins_any_starts_with_the_first_that_has_survivors_and_later_ends_change_nothing() -> None:
    story = started(ANY)
    story.outcome("a", failed=story.slots[:1])
    (command,) = story.commands("c")
    assert [ref.essay_id for ref in command.essays] == list(story.slots[1:])
    story.outcome("b")
    assert len(story.commands("c")) == 1
    story.outcome("c", ok=story.slots)
    assert story.last.decision.reason.foreign == 1
    assert story.status.phases["c"].commanded == 2


def test_a_phase_that_joins_any_is_skipped_only_when_all_before_it_failed() -> None:
    story = started(ANY)
    story.outcome("a", ok=[])
    assert story.run("c").status is PhaseStatus.PENDING_DEPENDENCIES
    story.outcome("b", ok=[])
    assert story.run("c").status is PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE


def test_a_paused_batch_starts_nothing_and_an_end_still_happens() -> None:
    story = started(pipeline(a=(), b=("a",)))
    story.current = replace(story.batch, pause=Pause(since_ms=1, by="teacher"))
    assert story.outcome("a").effects == ()
    assert story.run("b").status is PhaseStatus.PENDING_DEPENDENCIES
    assert story.status.deadlines == ()
    story = started(pipeline(a=(), b=("a",)))
    story.current = replace(story.batch, pause=Pause(since_ms=1, by="teacher"))
    story.outcome("a", ok=[])
    assert story.batch.status.terminal
    assert story.batch.pause is None
    assert [deadline.due_ms for deadline in story.status.deadlines] == [story.last.event.time_ms + 35 * 86_400_000]


@pytest.mark.parametrize("status", [PhaseStatus.HELD, PhaseStatus.WAITING_TO_RETRY])
def test_a_phase_that_goes_on_after_its_attempt_has_no_end(status: PhaseStatus) -> None:
    story = started(pipeline(a=(), b=()))
    story.outcome("a", ok=[])
    run = replace(story.run("a"), status=status)
    deadline = Deadline(77, DeadlineKind.RETRY_BACKOFF, "a", 1)
    story.current = replace(story.batch, phases={**story.batch.phases, "a": run}, deadlines=(deadline,))
    view = story.status.phases["a"]
    assert (view.status, view.failed, view.completed_ms, view.retry_due_ms) == (status, 3, None, 77)
    assert story.status.held is (status is PhaseStatus.HELD)
    story.current = replace(story.batch, pause=Pause(since_ms=1, by="teacher"))
    assert story.status.phases["a"].retry_due_ms is None
