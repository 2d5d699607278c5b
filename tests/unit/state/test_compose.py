"""Events that have not happened, decided on a batch as it is."""

import pytest

from schemas.internal.enums import DeadlineKind, Disposition
from state.compose import Imagined, NextEvent, imagine
from tests.unit.state.clocked import RETRIES, ClockedStory, begun, phase
from tests.unit.state.givens import ENDED, LIVE, Given, backing_off, held, matching, paused, running, waiting


def imagined(story: ClockedStory, **asked: object) -> Imagined:
    before = story.batch
    found = imagine(before, NextEvent(**asked), story.now_ms)  # type: ignore[arg-type]
    assert story.batch is before
    return found


def test_an_outcome_leads_to_the_next_phase() -> None:
    found = imagined(running(), event="outcome", phase="a", failed=1, unaccounted=1)
    assert found.decision.disposition is Disposition.APPLIED
    assert [(each.phase, each.essays) for each in found.history.effects] == [("b", 1)]
    assert [each.reason.value for each in found.history.failed_essays] == ["failed", "unaccounted"]


def test_an_outcome_without_survivors_fails_the_phase() -> None:
    found = imagined(running(), event="outcome", phase="a", failed=3)
    assert found.decision.batch is not None
    assert found.decision.batch.status.terminal


def test_an_outcome_answers_the_running_attempt_where_its_peer_echoes_it() -> None:
    story = begun(phase("a", **RETRIES))
    assert imagined(story, event="outcome", phase="a").event.body.attempt == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "code"), [("b", "phase_not_running"), ("ghost", "phase_not_in_pipeline")])
def test_an_outcome_that_does_not_fit_is_stale(name: str, code: str) -> None:
    found = imagined(running(), event="outcome", phase=name)
    assert (found.decision.disposition, found.decision.reason.code) == (Disposition.STALE, code)


@pytest.mark.parametrize("event", ["ready", "provisioned"])
def test_essays_come(event: str) -> None:
    found = imagined(waiting(), event=event, failed=1)
    assert [(each.kind, each.essays) for each in found.history.effects] == [("command_phase", 2)]
    assert imagined(waiting(), event=event, failed=3).decision.reason.code == "no_essays"


def test_a_class_gets_its_ready_event() -> None:
    assert imagined(matching(), event="ready").decision.reason.code == "pipeline_started"


def test_the_next_deadline_is_reached_when_it_is_due() -> None:
    for story, code in ((running(), "phase_stalled"), (held(), "hold_expired"), (backing_off(), "retry_started")):
        found = imagined(story, event="deadline")
        assert found.decision.reason.code == code
        assert found.event.time_ms == min(each.due_ms for each in story.batch.deadlines)
    late = running()
    late.wait(50)
    assert imagined(late, event="deadline").event.time_ms == late.now_ms
    assert late.armed(DeadlineKind.STALLED, "a").due_ms < late.now_ms
    assert imagined(paused(), event="deadline").decision.disposition is Disposition.STALE


@pytest.mark.parametrize("given_batch", [*LIVE, *ENDED], ids=lambda each: each.__name__)
def test_anything_can_be_imagined_of_any_batch(given_batch: Given) -> None:
    story = given_batch()
    for event in ("outcome", "ready", "provisioned", "deadline"):
        for name in ("a", "b", "ghost", ""):
            for number in (0, 1, 99):
                assert imagined(story, event=event, phase=name, failed=number, unaccounted=number).history.kind
