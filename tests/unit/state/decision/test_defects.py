"""Defects of the original that the decision makes impossible, by their numbers in docs/wire-contract.md."""

from itertools import product

import pytest

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import OutcomeStatus
from state.decision.transitions import PHASE_TRANSITIONS
from tests.unit.state.story import (
    Story,
    assert_ignored,
    ended,
    pipeline,
    refs,
    registered,
    started,
    texts,
)


def test_defect_05_a_repeated_outcome_does_not_announce_the_end_again() -> None:
    """What a transition made of the batch drives the effects; no transition, no effect."""
    story = ended()
    for event_id in ("same", "same", "another"):
        story.tell(story.concluded("spellcheck", ok=story.slots), event_id=event_id)
    assert len(story.completions) == 1


def test_defect_06_a_late_failure_does_not_overwrite_success() -> None:
    """Terminal absorbs, for phases and batches."""
    story = started()
    story.outcome("spellcheck")
    story.outcome("spellcheck", ok=[], failed=story.slots)
    assert story.run("spellcheck").status is PhaseStatus.COMPLETED_SUCCESSFULLY
    story.outcome("cj_assessment")
    story.outcome("cj_assessment", ok=[])
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY


def test_defect_07_partial_success_keeps_counts_and_ids() -> None:
    """Partial success is recorded as such, with its counts and failed ids, for each phase."""
    story = started(slots=5)
    story.outcome("spellcheck", failed=story.slots[:2])
    view = story.status.phases["spellcheck"]
    assert (view.status, view.succeeded, view.failed) == (PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS, 3, 2)
    assert [(lost.essay_id, lost.phase) for lost in story.status.failed_essays] == [
        (story.slots[0], "spellcheck"),
        (story.slots[1], "spellcheck"),
    ]


def test_defect_08_counts_are_those_of_the_essays_not_invented() -> None:
    """25 essays, one lost in spellcheck and five in assessment, are 19 and 6."""
    story = started(slots=25)
    story.outcome("spellcheck", failed=story.slots[:1])
    story.outcome("cj_assessment", failed=story.slots[1:6])
    (completed,) = story.completions
    assert (completed.succeeded, completed.failed) == (19, 6)
    assert completed.final_status is BatchStatus.COMPLETED_WITH_FAILURES
    assert (story.status.counts.succeeded, story.status.counts.failed) == (19, 6)


def test_defect_17_a_repeat_under_a_new_event_id_is_still_a_repeat() -> None:
    """Repeats are told by batch, phase, attempt and content, never by event id; ids that go out are derived."""
    one, other = started(), started()
    one.tell(one.concluded("spellcheck"), event_id="first")
    other.tell(other.concluded("spellcheck"), event_id="re-minted")
    assert one.last.decision.effects == other.last.decision.effects
    one.tell(one.concluded("spellcheck", ok=one.slots), event_id="re-minted")
    assert_ignored(one, Disposition.DUPLICATE, ReasonCode.OUTCOME_ALREADY_RECORDED)
    one.tell(one.told[1].event.body, event_id="re-minted too")
    assert_ignored(one, Disposition.DUPLICATE, ReasonCode.READY_AGAIN)


def test_defect_22_a_phases_status_is_in_one_place() -> None:
    """There is one representation: what readers see is made from what rules read."""
    story = started()
    story.outcome("spellcheck", failed=story.slots[:1])
    for name, run in story.batch.phases.items():
        assert story.status.phases[name].status is run.status


def test_defect_25_every_wait_has_a_deadline_that_is_armed_and_published() -> None:
    """No wait is without a clock: for essays, for each running phase, and for the purge."""
    story = registered()
    assert [deadline.kind for deadline in story.status.deadlines] == [DeadlineKind.NEVER_PROVISIONED]
    story.ready()
    for phase in ("spellcheck", "cj_assessment"):
        assert [(deadline.kind, deadline.phase) for deadline in story.status.deadlines] == [
            (DeadlineKind.STALLED, phase),
            (DeadlineKind.PHASE, phase),
        ]
        story.outcome(phase)
    assert [deadline.kind for deadline in story.status.deadlines] == [DeadlineKind.PURGE]


def test_defect_26_essays_in_neither_list_do_not_vanish() -> None:
    """What was commanded is reconciled with what was reported."""
    story = started()
    story.outcome("spellcheck", ok=story.slots[:1])
    view = story.status.phases["spellcheck"]
    assert view.commanded == view.succeeded + view.failed + view.unaccounted == 3
    assert view.unaccounted == 2
    assert {lost.reason for lost in story.status.failed_essays} == {"unaccounted"}
    assert view.status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS


def test_defect_29_the_next_phase_gets_survivors_with_their_newest_texts() -> None:
    """Failed essays and texts that a phase has replaced are not sent again."""
    story = started(pipeline(a=(), b=("a",), c=("b",)))
    story.outcome("a", failed=story.slots[:1], by="a")
    story.outcome("b", failed=story.slots[1:2], by="b")
    (command,) = story.commands("c")
    assert texts(command) == [f"b:{story.slots[2]}"]


def test_defect_29_a_phase_that_names_the_uploads_takes_no_newer_text_back() -> None:
    """Comparative judgement reports essays with the texts of their upload, whatever texts it was sent."""
    story = started(pipeline(a=(), b=("a",), c=("b",)))
    story.outcome("a", by="a")
    story.outcome("b", by="upload")
    (command,) = story.commands("c")
    assert texts(command) == [f"a:{slot}" for slot in story.slots]


@pytest.mark.parametrize("before", [("a", "b"), ("b", "a")])
def test_defect_29_a_join_takes_the_texts_that_were_changed(before: tuple[str, str]) -> None:
    """A phase that leaves texts as they are does not undo what one beside it has changed."""
    story = started(pipeline(a=(), b=(), c=before))
    story.outcome("a", by="a")
    story.outcome("b", by="upload")
    (command,) = story.commands("c")
    assert texts(command) == [f"a:{slot}" for slot in story.slots]


def test_defect_31_every_status_that_a_phase_can_wait_in_has_a_way_on() -> None:
    """Transitions come from one table; a phase that is dispatched can end in every way that an attempt can end."""
    assert PHASE_TRANSITIONS[PhaseStatus.DISPATCH_INITIATED] == {
        PhaseStatus.COMPLETED_SUCCESSFULLY,
        PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
        PhaseStatus.FAILED,
        PhaseStatus.CANCELLED,
        PhaseStatus.WAITING_TO_RETRY,
        PhaseStatus.HELD,
        PhaseStatus.PENDING_DEPENDENCIES,
    }
    assert PhaseStatus.DISPATCH_INITIATED in PHASE_TRANSITIONS[PhaseStatus.PENDING_DEPENDENCIES]


@pytest.mark.parametrize(("first", "second"), list(product(OutcomeStatus, repeat=2)))
def test_defect_31_outcomes_of_every_status_end_the_batch(first: OutcomeStatus, second: OutcomeStatus) -> None:
    """No status of a peer leaves a phase that cannot complete."""
    story = started()
    story.outcome("spellcheck", status=first)
    story.outcome("cj_assessment", status=second)
    assert story.batch.status.terminal


def test_defect_32_one_failed_essay_of_25_does_not_stop_the_batch() -> None:
    """Completed with failures is no failure of the phase."""
    story = started(slots=25)
    story.outcome("spellcheck", failed=story.slots[:1], status=OutcomeStatus.SUCCEEDED_WITH_FAILURES)
    (command,) = story.commands("cj_assessment")
    assert len(command.essays) == 24
    assert story.completions == []


def test_defect_49_times_of_a_phase_are_set_by_its_transitions() -> None:
    """A phase that runs has a start and no end, also when it runs again."""
    story = started(pipeline(a=(), b=()))
    running = story.status.phases["a"]
    assert (running.started_ms, running.completed_ms) == (story.last.event.time_ms, None)
    story.outcome("a", ok=[])
    over = story.status.phases["a"]
    assert (over.started_ms, over.completed_ms) == (running.started_ms, story.last.event.time_ms)
    assert over.reason
    command = story.again("a")
    assert (command.phase, command.attempt) == ("a", 2)
    again = story.status.phases["a"]
    assert (again.attempt, again.started_ms, again.completed_ms) == (2, command.time_ms, None)
    assert again.reason is None


def test_defect_50_the_batchs_status_follows_its_phases() -> None:
    """The batch is processing while a phase runs, and completed when all have ended."""
    story = Story()
    seen: list[BatchStatus] = []
    for step in (
        story.register,
        lambda: story.ready(refs(story.slots)),
        lambda: story.outcome("spellcheck"),
        lambda: story.outcome("cj_assessment"),
    ):
        step()
        seen.append(story.status.status)
    assert seen == [
        BatchStatus.AWAITING_CONTENT_VALIDATION,
        BatchStatus.PROCESSING_PIPELINES,
        BatchStatus.PROCESSING_PIPELINES,
        BatchStatus.COMPLETED_SUCCESSFULLY,
    ]
