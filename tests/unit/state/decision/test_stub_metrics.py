"""Metrics go where texts go: with what is superseded, and with the end of the batch."""

from schemas.internal.enums import PhaseStatus
from schemas.internal.events import EssayRef
from state.batch import PhaseRun
from state.decision.attempts import supersede
from tests.unit.state.story import Story


def test_a_superseded_phase_has_given_no_metrics() -> None:
    run = PhaseRun(status=PhaseStatus.FAILED, texts={0: "text"}, metrics={0: {"words": 1}})
    again = supersede(run)
    assert (again.texts, again.metrics) == ({}, {})


def test_a_batch_that_has_ended_keeps_no_metrics_of_its_uploads() -> None:
    story = Story(phases=("spellcheck",), slots=1)
    story.register()
    story.ready([EssayRef(story.slots[0], "upload", {"words": 1})])
    assert story.batch.metrics
    story.outcome("spellcheck")
    assert story.batch.status.terminal
    assert not story.batch.metrics
