"""How a batch moves on: what starts, what is skipped, when it ends, and what an end leaves."""

import pytest
from msgspec.structs import replace

from schemas.errors import ForbiddenTransition
from schemas.internal.effects import PipelineCompleted
from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import Event
from state.batch import Batch
from state.codec import decode_batch, encode_batch
from state.decision.attempts import commanded
from state.decision.decide import decide
from state.decision.records import status_record
from state.decision.result import Oversize
from state.decision.texts import newest_of
from state.decision.transitions import (
    BATCH_TRANSITIONS,
    PHASE_TRANSITIONS,
    batch_status,
    phase_status,
)
from tests.unit.state.story import Story, ended, essay_ids, pipeline, registered, started, texts

DIAMOND = pipeline(a=(), b=("a",), c=("a",), d=("b", "c"))
CHAIN = pipeline(a=(), b=("a",), c=("b",))
SKIPPED = PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE


def statuses(story: Story) -> dict[str, PhaseStatus]:
    return {name: run.status for name, run in story.batch.phases.items()}


def test_independent_phases_run_in_parallel_and_the_batch_ends_with_the_last() -> None:
    story = started(pipeline(a=(), b=()))
    assert len(story.commands("a")) == len(story.commands("b")) == 1
    story.outcome("b")
    assert story.completions == []
    story.outcome("a")
    assert story.batch.status is BatchStatus.COMPLETED_SUCCESSFULLY
    assert story.completions[0].completed_phases == ("a", "b")


@pytest.mark.parametrize("first", ["b", "c"])
def test_a_join_waits_for_all_it_comes_after_and_runs_on_the_union_of_survivors(first: str) -> None:
    story = started(DIAMOND)
    a, b, c = story.slots
    story.outcome("a")
    second = "c" if first == "b" else "b"
    lost = {"b": [a], "c": [b]}
    story.outcome(first, failed=lost[first])
    assert story.commands("d") == []
    story.outcome(second, failed=lost[second])
    assert essay_ids(story.commands("d")[0]) == [a, b, c]
    assert texts(story.commands("d")[0]) == [f"c:{a}", f"b:{b}", f"c:{c}"]


def test_a_join_works_on_survivors_alone() -> None:
    story = started(DIAMOND)
    a, b, c = story.slots
    story.outcome("a")
    story.outcome("b", failed=[a])
    story.outcome("c", failed=[a])
    assert essay_ids(story.commands("d")[0]) == [b, c]


def test_a_join_is_skipped_as_soon_as_one_that_it_comes_after_has_failed() -> None:
    story = started(DIAMOND)
    story.outcome("a")
    story.outcome("b", ok=[])
    assert statuses(story)["d"] is SKIPPED
    assert story.completions == []
    story.outcome("c")
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES
    assert story.completions[0].completed_phases == ("a", "c")


@pytest.mark.defect(9)
def test_a_failed_phase_skips_everything_that_depends_on_it_and_the_batch_ends() -> None:
    story = started(CHAIN)
    story.outcome("a", ok=[])
    assert statuses(story) == {"a": PhaseStatus.FAILED, "b": SKIPPED, "c": SKIPPED}
    assert story.run("b").reason is PhaseReason.DEPENDENCY_FAILED
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    (completed,) = story.completions
    assert (completed.succeeded, completed.failed, completed.completed_phases) == (0, 3, ())


def test_the_order_in_which_a_pipeline_lists_its_phases_does_not_matter() -> None:
    story = started(pipeline(c=("b",), b=("a",), a=()))
    assert (len(story.commands("a")), len(story.commands("b")), len(story.commands("c"))) == (1, 0, 0)
    story.outcome("a", ok=[])
    assert statuses(story) == {"c": SKIPPED, "b": SKIPPED, "a": PhaseStatus.FAILED}
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY


@pytest.mark.defect(10)
def test_a_phase_starts_past_one_that_nobody_asked_for() -> None:
    story = started(CHAIN, phases=["a", "c"])
    story.outcome("a", failed=story.slots[:1])
    (command,) = story.commands("c")
    assert texts(command) == [f"a:{slot}" for slot in story.slots[1:]]
    assert statuses(story)["b"] is PhaseStatus.SKIPPED_BY_USER_CONFIG
    story.outcome("c")
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES
    assert story.completions[0].completed_phases == ("a", "c")


def test_a_phase_after_one_that_nobody_asked_for_can_be_the_first() -> None:
    story = started(CHAIN, phases=["b", "c"])
    assert texts(story.commands("b")[0]) == [f"upload:{slot}" for slot in story.slots]
    assert story.commands("a") == []


def test_a_failed_phase_skips_its_dependants_past_one_that_nobody_asked_for() -> None:
    story = started(CHAIN, phases=["a", "c"])
    story.outcome("a", ok=[])
    assert statuses(story)["c"] is SKIPPED
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY


def test_a_failed_second_phase_ends_the_batch_with_failures_and_its_essays_count_as_failed() -> None:
    story = started()
    story.outcome("spellcheck")
    story.outcome("cj_assessment", ok=[])
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES
    (completed,) = story.completions
    assert completed.completed_phases == ("spellcheck",)
    assert (completed.succeeded, completed.failed) == (0, 3)


def test_the_end_tells_when_the_batch_began() -> None:
    story = ended()
    (completed,) = story.completions
    assert completed.started_ms == story.batch.registered_ms
    assert completed.time_ms == story.batch.ended_ms == story.last.event.time_ms


def test_an_ended_batch_shrinks_to_a_stub() -> None:
    story = started(slots=50)
    running = len(encode_batch(story.batch))
    story.outcome("spellcheck")
    story.outcome("cj_assessment")
    assert story.batch.essays == ()
    assert len(encode_batch(story.batch)) < running / 2
    assert story.status.counts.succeeded == 50
    assert story.status.phases["spellcheck"].succeeded == 50


# ------------------------------------------------------------------------------------------------------- oversized


def oversized(story: Story) -> tuple[Event, Batch, PipelineCompleted]:
    event = replace(story.last.event, version=999, time_ms=story.last.event.time_ms + 5)
    decision = decide(story.batch, event, Oversize("the command", 9_000_000, 4_194_304))
    assert decision.disposition is Disposition.APPLIED
    reason = decision.reason
    assert reason.code is ReasonCode.OVERSIZED
    assert (reason.what, reason.size, reason.limit) == ("the command", 9_000_000, 4_194_304)
    assert decision.batch is not None
    (completed,) = decision.effects
    assert isinstance(completed, PipelineCompleted)
    return event, decision.batch, completed


def test_the_end_for_size_drops_the_words_of_peers_and_keeps_why_essays_were_lost() -> None:
    story = started(slots=2)
    lost = story.slots[0]
    outcome = story.concluded("spellcheck", [story.slots[1]], [lost])
    story.tell(replace(outcome, failures={lost: "long words " * 10}))
    assert story.status.failed_essays[0].detail
    _, batch, _ = oversized(story)
    found = [(essay.essay_id, essay.phase, essay.detail) for essay in status_record(batch).failed_essays]
    assert (lost, "spellcheck", "") in found


def test_a_result_that_does_not_fit_ends_the_batch_in_failure() -> None:
    story = started()
    event, batch, completed = oversized(story)
    assert batch.status is completed.final_status is BatchStatus.FAILED_CRITICALLY
    assert batch.reason == ReasonCode.OVERSIZED
    assert (batch.version, batch.updated_ms, batch.ended_ms) == (999, event.time_ms, event.time_ms)
    assert batch.phases["spellcheck"].status is PhaseStatus.FAILED
    assert {run.status for run in batch.phases.values()} == {PhaseStatus.FAILED}
    assert {run.reason for run in batch.phases.values()} == {PhaseReason.OVERSIZED}


def test_essays_that_were_with_the_peers_when_a_batch_grew_too_large_are_lost() -> None:
    story = started()
    event, batch, completed = oversized(story)
    story.current = batch
    view = story.status.phases["spellcheck"]
    assert (view.commanded, view.succeeded, view.failed + view.unaccounted) == (3, 0, 3)
    assert view.completed_ms == event.time_ms
    assert {lost.reason for lost in story.status.failed_essays} == {"oversized"}
    assert (completed.succeeded, completed.failed) == (0, 3)


def test_what_had_ended_before_a_batch_grew_too_large_stays() -> None:
    story = started()
    story.outcome("spellcheck", failed=story.slots[:1])
    _, batch, completed = oversized(story)
    assert batch.phases["spellcheck"].status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS
    assert completed.completed_phases == ("spellcheck",)


def test_a_batch_that_waits_can_be_too_large_too() -> None:
    _, batch, completed = oversized(registered())
    assert batch.status is BatchStatus.FAILED_CRITICALLY
    assert {run.status for run in batch.phases.values()} == {PhaseStatus.FAILED}
    assert (completed.succeeded, completed.failed) == (0, 3)


# ----------------------------------------------------------------------------------------------------- transitions


@pytest.mark.parametrize("status", BatchStatus)
def test_nothing_leaves_a_terminal_batch_status_and_every_other_can_end(status: BatchStatus) -> None:
    assert bool(BATCH_TRANSITIONS[status]) is not status.terminal
    if not status.terminal:
        assert BatchStatus.FAILED_CRITICALLY in BATCH_TRANSITIONS[status]


def test_a_transition_that_is_not_in_the_table_is_an_error() -> None:
    with pytest.raises(ForbiddenTransition) as refused:
        batch_status(BatchStatus.CANCELLED, BatchStatus.PROCESSING_PIPELINES)
    assert refused.value.message == "batch: cancelled to processing_pipelines"
    assert refused.value.next_step == "Report it, with the dead letter: the rule that tried it is wrong."
    with pytest.raises(ForbiddenTransition, match="phase: pending_dependencies to held"):
        phase_status(PhaseStatus.PENDING_DEPENDENCIES, PhaseStatus.HELD)
    assert batch_status(BatchStatus.PROCESSING_PIPELINES, BatchStatus.CANCELLED) is BatchStatus.CANCELLED


def test_every_status_has_its_row_in_the_tables() -> None:
    assert set(BATCH_TRANSITIONS) == set(BatchStatus)
    assert set(PHASE_TRANSITIONS) == set(PhaseStatus)


def test_essays_of_a_running_phase_follow_from_the_state_alone() -> None:
    story = started(slots=4)
    story.outcome("spellcheck", failed=story.slots[:1])
    for phase in ("spellcheck", "cj_assessment"):  # one that has ended, and one that runs
        (command,) = story.commands(phase)
        batch = decode_batch(encode_batch(story.batch))
        assert newest_of(batch, phase, commanded(batch, batch.phases[phase].attempts[0])) == command.essays
