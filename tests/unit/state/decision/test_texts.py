"""Texts: which phase gave which, and which of them a phase is sent, by the graph of the pipeline alone."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus
from schemas.internal.events import EssayRef
from schemas.internal.pipeline import PipelineDefinition
from state.decision.texts import newest
from tests.unit.state.story import Story, pipeline, started, texts

SPREAD = ("nlp", "ai_feedback")
METRICS = {"total_corrections": 3}
NEWER = {"total_corrections": 0}


def spread(after: Sequence[str]) -> PipelineDefinition:
    """Return the pipeline spellcheck, then nlp and ai_feedback side by side, then cj_assessment after `after`."""
    return pipeline(spellcheck=(), nlp=("spellcheck",), ai_feedback=("spellcheck",), cj_assessment=after)


def tell(story: Story, phase: str, text: str, metrics: dict[str, Any] | None = None) -> None:
    """Let a phase report the one essay with a text and metrics."""
    essay = EssayRef(story.slots[0], text, metrics)
    story.tell(replace(story.concluded(phase), essays=(essay,)))


def sent(story: Story, phase: str) -> tuple[str, dict[str, Any] | None]:
    """Return the text and the metrics of the one essay that a phase was last sent."""
    (essay,) = story.commands(phase)[-1].essays
    return essay.text_storage_id, essay.spellcheck_metrics


ORDERS = list(permutations(SPREAD))


@pytest.mark.parametrize("after", ORDERS, ids="-".join)
@pytest.mark.parametrize("first", SPREAD)
def test_of_two_side_by_side_the_later_in_the_pipeline_gives_the_text_whatever_the_order(
    after: Sequence[str], first: str
) -> None:
    story = started(spread(after), slots=1)
    tell(story, "spellcheck", "checked", METRICS)
    for phase in (first, *(name for name in SPREAD if name != first)):
        tell(story, phase, f"text of {phase}")
    assert sent(story, "cj_assessment") == ("text of ai_feedback", METRICS)


@pytest.mark.parametrize("after", ORDERS, ids="-".join)
@pytest.mark.parametrize("giver", SPREAD)
def test_the_one_that_changed_the_text_gives_it_whatever_the_order(after: Sequence[str], giver: str) -> None:
    story = started(spread(after), slots=1)
    tell(story, "spellcheck", "checked")
    for phase in SPREAD:
        tell(story, phase, "new" if phase == giver else "checked")
    assert sent(story, "cj_assessment")[0] == "new"


@pytest.mark.parametrize("after", ORDERS, ids="-".join)
def test_an_upload_that_a_later_phase_repeats_does_not_come_back(after: Sequence[str]) -> None:
    story = started(spread(after), slots=1)
    tell(story, "spellcheck", "checked", METRICS)
    for phase in SPREAD:
        tell(story, phase, f"upload:{story.slots[0]}")
    assert sent(story, "cj_assessment") == ("checked", METRICS)


@pytest.mark.parametrize("after", [("spellcheck", "nlp"), ("nlp", "spellcheck")], ids="-".join)
def test_a_text_of_a_phase_that_another_giver_comes_after_is_never_sent(after: Sequence[str]) -> None:
    listed_last = pipeline(nlp=("spellcheck",), cj_assessment=after, spellcheck=())
    story = started(listed_last, slots=1)
    tell(story, "spellcheck", "checked")
    tell(story, "nlp", "newest")
    assert sent(story, "cj_assessment")[0] == "newest"


def test_a_text_skips_phases_that_change_nothing_and_those_that_nobody_asked_for() -> None:
    chain = pipeline(spellcheck=(), nlp=("spellcheck",), ai_feedback=("nlp",), cj_assessment=("ai_feedback",))
    story = started(chain, phases=["spellcheck", "ai_feedback", "cj_assessment"], slots=1)
    tell(story, "spellcheck", "checked", METRICS)
    tell(story, "ai_feedback", "checked", METRICS)
    assert (story.run("ai_feedback").texts, story.run("ai_feedback").metrics) == ({}, {})
    assert sent(story, "cj_assessment") == ("checked", METRICS)


def test_metrics_of_a_spellcheck_that_is_not_first_are_kept_though_it_changed_no_text() -> None:
    story = started(pipeline(nlp=(), spellcheck=("nlp",), cj_assessment=("spellcheck",)), slots=1)
    upload = f"upload:{story.slots[0]}"
    tell(story, "nlp", upload)
    tell(story, "spellcheck", upload, METRICS)
    assert sent(story, "cj_assessment") == (upload, METRICS)


@pytest.mark.parametrize("after", ORDERS, ids="-".join)
@pytest.mark.parametrize("giver", SPREAD)
@pytest.mark.parametrize("changed", [True, False], ids=["with a text", "alone"])
def test_metrics_that_were_commanded_do_not_override_newer_ones(
    after: Sequence[str], giver: str, *, changed: bool
) -> None:
    story = started(spread(after), slots=1)
    text = "checked" if changed else f"upload:{story.slots[0]}"
    tell(story, "spellcheck", text, METRICS)
    for phase in SPREAD:
        tell(story, phase, text, NEWER if phase == giver else METRICS)
    assert sent(story, "cj_assessment") == (text, NEWER)


def test_metrics_that_came_with_the_upload_go_on() -> None:
    story = Story(slots=1)
    story.register()
    story.ready([EssayRef(story.slots[0], "uploaded", METRICS)])
    assert sent(story, "spellcheck") == ("uploaded", METRICS)
    tell(story, "spellcheck", "checked", METRICS)
    assert story.run("spellcheck").metrics == {}
    assert sent(story, "cj_assessment") == ("checked", METRICS)


def test_a_phase_beside_gives_nothing() -> None:
    story = started(pipeline(spellcheck=(), nlp=(), cj_assessment=("nlp",)), slots=1)
    tell(story, "spellcheck", "checked", METRICS)
    tell(story, "nlp", f"upload:{story.slots[0]}")
    assert sent(story, "cj_assessment") == (f"upload:{story.slots[0]}", None)


def test_each_essay_has_its_own_newest_text() -> None:
    story = started(pipeline(a=(), b=("a",), c=("b",)))
    one, two, three = story.slots
    story.outcome("a", ok=[one, two, three])
    story.tell(replace(story.concluded("b"), essays=(EssayRef(one, "b"), EssayRef(two, f"a:{two}"))))
    assert texts(story.commands("c")[0]) == ["b", f"a:{two}"]
    assert newest(story.batch, "c", 0) == EssayRef(one, "b")
    assert newest(story.batch, "a", 0) == EssayRef(one, f"upload:{one}")


def test_a_later_attempt_replaces_the_texts_of_its_essays_alone() -> None:
    story = started(pipeline(a=(), b=(), c=("a", "b")), slots=3)
    one, two, three = story.slots
    first = (EssayRef(one, "a1", METRICS), EssayRef(two, "a1", METRICS))
    story.tell(replace(story.concluded("a", failed=[three]), essays=first))
    story.again("a", only=[two])
    story.tell(replace(story.concluded("a"), essays=(EssayRef(two, "a2", NEWER),), attempt=2))
    assert story.run("a").texts == {0: "a1", 1: "a2"}
    assert story.run("a").metrics == {0: METRICS, 1: NEWER}
    story.again("a", only=[two])
    story.tell(replace(story.concluded("a"), essays=(EssayRef(two, f"upload:{two}"),), attempt=3))
    assert story.run("a").texts == {0: "a1"}
    assert story.run("a").metrics == {0: METRICS}
    story.outcome("b", by="upload")
    assert texts(story.commands("c")[0]) == ["a1", f"upload:{two}", f"upload:{three}"]
    assert not story.batch.status.terminal
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
