"""Clocks: which are armed, when they are due, and when they go."""

from msgspec.structs import replace

from schemas.internal.enums import DeadlineKind
from schemas.internal.events import ValidationFailed
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import Deadline, Pause
from state.decision.clocks import arm
from tests.unit.state.story import START_MS, Story, ended, registered, started

SECOND_MS = 1_000
DAY_MS = 86_400_000
TIMED = PipelineDefinition(
    name="timed",
    version=1,
    phases=(
        PhaseDefinition(name="a", stalled_after_s=20, deadline_s=100),
        PhaseDefinition(name="b", stalled_after_s=10, deadline_s=300),
        PhaseDefinition(name="c", after=("a", "b"), stalled_after_s=5, deadline_s=6),
    ),
    provisioning_deadline_s=50,
    purge_after_s=1_000,
)


def clocks(story: Story) -> list[tuple[str, str, int, int]]:
    """Armed clocks as (kind, phase, attempt, seconds from the last event)."""
    now = story.last.event.time_ms
    return [(d.kind.value, d.phase, d.attempt, (d.due_ms - now) // SECOND_MS) for d in story.batch.deadlines]


def test_a_registered_batch_waits_for_its_essays_for_so_long() -> None:
    assert clocks(registered(TIMED)) == [("never_provisioned", "", 0, 50)]


def test_the_peers_pace_is_the_default() -> None:
    story = registered()
    assert story.batch.deadlines == (Deadline(START_MS + 7 * DAY_MS, DeadlineKind.NEVER_PROVISIONED),)
    story.ready()
    assert clocks(story) == [("stalled", "spellcheck", 1, 30 * 60), ("phase", "spellcheck", 1, 86_400)]


def test_the_ready_event_stops_that_clock_and_each_command_starts_two_the_earliest_first() -> None:
    story = started(TIMED)
    assert clocks(story) == [
        ("stalled", "b", 1, 10),
        ("stalled", "a", 1, 20),
        ("phase", "a", 1, 100),
        ("phase", "b", 1, 300),
    ]


def test_an_outcome_stops_the_clocks_of_its_phase_alone() -> None:
    story = started(TIMED)
    story.outcome("b")
    assert clocks(story) == [("stalled", "a", 1, 19), ("phase", "a", 1, 99)]


def test_the_next_phases_clocks_start_with_its_command() -> None:
    story = started(TIMED)
    story.outcome("b")
    story.outcome("a")
    assert clocks(story) == [("stalled", "c", 1, 5), ("phase", "c", 1, 6)]


def test_an_ended_batch_has_its_purge_left_alone() -> None:
    story = started(TIMED)
    story.outcome("a", ok=[])
    story.outcome("b")
    assert clocks(story) == [("purge", "", 0, 1_000)]
    story = registered(TIMED)
    story.invalid(critical=True)
    assert clocks(story) == [("purge", "", 0, 1_000)]
    story = registered(TIMED)
    story.ready([])
    assert clocks(story) == [("purge", "", 0, 1_000)]


def test_a_class_batch_keeps_its_clock_while_its_students_are_matched() -> None:
    story = Story(TIMED, context=replace(registered().batch.context, class_id="class-7"))
    story.register()
    story.provisioned()
    assert clocks(story) == [("never_provisioned", "", 0, 49)]


def test_validation_failures_stop_no_clock() -> None:
    story = registered(TIMED)
    story.tell(ValidationFailed(critical=False, total=1))
    assert clocks(story) == [("never_provisioned", "", 0, 49)]


def test_a_clock_that_is_armed_in_a_paused_batch_holds_what_is_left() -> None:
    story = started(TIMED)
    event = story.last.event
    paused = replace(story.batch, deadlines=(), pause=Pause(since_ms=event.time_ms, by="teacher"))
    assert arm(paused, event, DeadlineKind.HOLD, 70, "a", 1).deadlines == (Deadline(70_000, DeadlineKind.HOLD, "a", 1),)


def test_events_without_effect_stop_no_clock() -> None:
    story = started(TIMED)
    before = story.batch.deadlines
    story.outcome("a", ok=["foreign"])
    story.outcome("c", ok=story.slots)
    story.ready()
    assert story.batch.deadlines == before


def test_armed_clocks_are_published_with_the_status() -> None:
    story = started(TIMED)
    now = story.last.event.time_ms
    assert story.status.deadlines == (
        Deadline(now + 10 * SECOND_MS, DeadlineKind.STALLED, "b", 1),
        Deadline(now + 20 * SECOND_MS, DeadlineKind.STALLED, "a", 1),
        Deadline(now + 100 * SECOND_MS, DeadlineKind.PHASE, "a", 1),
        Deadline(now + 300 * SECOND_MS, DeadlineKind.PHASE, "b", 1),
    )
    assert [deadline.kind for deadline in ended().status.deadlines] == [DeadlineKind.PURGE]
