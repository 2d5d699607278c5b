"""The events of a batch under another pipeline definition."""

from msgspec.structs import replace

from schemas.internal.enums import DeadlineKind
from schemas.internal.events import RegisterBatch
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.what_if import Command, WhatIf, what_if
from tests.unit.state.clocked import ClockedStory, begun, phase, pipeline_of
from tests.unit.state.story import FIRST_OFFSET, Story
from tests.unit.state.test_replay import recorded


def compared(story: Story, *phases: PhaseDefinition) -> WhatIf:
    return what_if(recorded(story.told), pipeline_of(*phases))


def test_a_new_phase_is_commanded_and_its_outcome_is_not_on_record() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a")
    story.answer("b")
    found = compared(story, phase("a"), phase("b", ["a"]), phase("nlp", ["a"]))
    assert found.same_until == FIRST_OFFSET + 1
    assert [each.position for each in found.decisions] == [FIRST_OFFSET + 2, FIRST_OFFSET + 3]
    first = found.decisions[0]
    assert first.recorded is not None
    assert first.recorded.commands == (Command("b", 1, 3),)
    assert first.instead.commands == (Command("b", 1, 3), Command("nlp", 1, 3))
    assert found.new_commands == (Command("nlp", 1, 3),)
    assert found.open
    assert (found.status_recorded, found.status_instead) == ("completed_successfully", "processing_pipelines")
    assert found.sentence == (
        "The same up to 101; then: a: 3 essays passed; b commanded for 3 essays; nlp commanded for 3 essays; 1 new "
        "command with 3 essays; no outcome of nlp is on record, so the rest is open."
    )


def test_a_phase_less_is_a_command_less() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a")
    story.answer("b")
    found = compared(story, phase("a"))
    assert found.dropped_commands == (Command("b", 1, 3, answered=True),)
    assert not found.open
    assert found.sentence.endswith(
        "1 command not sent; the batch would be completed_successfully, and is completed_successfully."
    )


def test_an_outcome_that_was_recorded_answers_the_same_command() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a")
    story.answer("b")
    found = compared(story, phase("a"), phase("b"))
    assert [(each.event, each.instead.disposition.value) for each in found.decisions] == [
        ("essays_ready", "applied"),
        ("phase_concluded", "applied"),
    ]
    assert found.status_instead == "completed_successfully"
    assert not found.open


def test_a_shorter_deadline_is_inferred_where_it_would_have_been_reached() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.wait(60)
    story.answer("a")
    found = compared(story, phase("a", deadline_s=30), phase("b", ["a"]))
    first = found.decisions[0]
    assert (first.position, first.event, first.recorded) == (None, "deadline_reached", None)
    assert first.instead.reason.code == "phase_deadline_missed"
    assert found.status_instead == "failed_critically"
    assert found.decisions[1].instead.disposition == "stale"


def test_a_deadline_of_both_definitions_is_taken_as_it_was_recorded() -> None:
    """An outcome that came a moment after the deadline, before the timekeeper fired it, still counted."""
    story = begun(phase("a", deadline_s=100), phase("b", ["a"]))
    story.wait(101)
    story.answer("a")
    assert story.last.decision.disposition == "applied"
    found = compared(story, phase("a", deadline_s=100), phase("b", ["a"], on_failure="hold"))
    assert found.decisions == ()


def test_a_longer_deadline_leaves_the_attempt_running() -> None:
    story = begun(phase("a"), phase("b", ["a"]))
    story.reach(DeadlineKind.STALLED, "a")
    story.reach(DeadlineKind.PHASE, "a")
    found = compared(story, phase("a", deadline_s=1_000), phase("b", ["a"]))
    assert found.decisions[-1].instead.disposition == "stale"
    assert (found.status_recorded, found.status_instead) == ("failed_critically", "processing_pipelines")


def test_a_phase_behind_a_flag_is_asked_for_as_the_registration_did() -> None:
    story = ClockedStory(pipeline_of(phase("a"), phase("b", ["a"], when="enable_cj_assessment")), phases=["a"])
    story.register()
    other = (phase("a"), phase("c", ["a"], when="enable_cj_assessment"))
    assert compared(story, *other).requested_phases == ("a",)
    asking = replace(story.registration.context, enable_cj_assessment=True)
    story = ClockedStory(pipeline_of(phase("a")), context=asking)
    story.register()
    assert compared(story, *other).requested_phases == ("a", "c")


def test_a_definition_that_asks_for_more_differs_where_it_matters_alone() -> None:
    story = ClockedStory(pipeline_of(phase("a")))
    story.register()
    assert isinstance(story.registration, RegisterBatch)
    assert compared(story, phase("a"), phase("b", ["a"])).decisions == ()
    assert what_if([], PipelineDefinition(name="x", version=1, phases=())).records == 0
