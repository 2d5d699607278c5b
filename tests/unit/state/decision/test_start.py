"""Ready and provisioned: what starts a batch, on which essays, and what comes too early or too late."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import (
    Body,
    ContentProvisioned,
    DeadlineReached,
    EssaysReady,
    OutcomeStatus,
    ValidationFailed,
)
from tests.unit.state.story import (
    CLASS_CONTEXT,
    CORRELATION,
    Story,
    assert_ignored,
    ended,
    essay_ids,
    failures,
    refs,
    registered,
    started,
    texts,
)

Start = Callable[[Story], object]


# No credits are checked: where a batch may run, it runs.
@pytest.mark.defect(46)
def test_the_ready_event_starts_the_first_phase_on_all_ready_essays() -> None:
    story = registered()
    decision = story.ready()
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.PIPELINE_STARTED
    assert (decision.reason.essays, decision.reason.foreign, decision.reason.unaccounted) == (3, 0, 0)
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    (command,) = story.commands("spellcheck")
    assert essay_ids(command) == list(story.slots)
    assert texts(command) == [f"upload:{slot}" for slot in story.slots]
    assert (command.attempt, command.correlation_id) == (1, CORRELATION)
    assert story.commands("cj_assessment") == []


def test_essays_are_commanded_in_the_order_of_the_ready_event() -> None:
    story = registered()
    story.ready(refs(reversed(story.slots)))
    assert essay_ids(story.commands("spellcheck")[0]) == list(reversed(story.slots))


def test_repeated_essay_ids_collapse_and_the_first_text_stays() -> None:
    story = registered(slots=2)
    a, b = story.slots
    decision = story.ready((*refs([a, b]), *refs([a], "twin")))
    assert texts(story.commands("spellcheck")[0]) == [f"upload:{a}", f"upload:{b}"]
    assert (decision.reason.essays, decision.reason.foreign, decision.reason.unaccounted) == (2, 0, 0)


def test_some_foreign_essays_are_dropped_and_counted() -> None:
    story = registered()
    decision = story.ready(refs([*story.slots, "foreign-1", "foreign-2", "foreign-2"]))
    assert decision.reason.foreign == 2
    assert essay_ids(story.commands("spellcheck")[0]) == list(story.slots)
    assert story.status.counts.ready == 3


def test_foreign_essays_alone_do_not_start_a_batch() -> None:
    story = registered()
    story.ready(refs(["foreign-1", "foreign-2"]))
    assert_ignored(story, Disposition.STALE, ReasonCode.FOREIGN_ESSAYS_ONLY)
    assert story.ready().disposition is Disposition.APPLIED


def test_slots_that_are_not_named_are_unaccounted() -> None:
    story = registered()
    decision = story.ready(refs(story.slots[:2]))
    assert decision.reason.unaccounted == 1
    counts = story.status.counts
    assert (counts.expected, counts.ready, counts.unaccounted) == (3, 2, 1)


def test_a_batch_with_unaccounted_slots_ends_with_failures() -> None:
    story = registered(phases=["spellcheck"])
    story.ready(refs(story.slots[:2]))
    story.outcome("spellcheck")
    assert story.batch.status is BatchStatus.COMPLETED_WITH_FAILURES
    (completed,) = story.completions
    assert (completed.succeeded, completed.failed) == (2, 1)


def test_files_that_failed_are_noted_with_the_ready_event_and_only_some_are_kept() -> None:
    story = registered()
    story.ready(refs(story.slots[:2]), failures(25))
    assert story.status.file_failures_total == 25
    assert story.status.file_failures == failures(25)[:20]


@pytest.mark.defect(12)
@pytest.mark.parametrize("start", [lambda s: s.ready([]), lambda s: s.provisioned([])], ids=["ready", "provisioned"])
def test_an_empty_list_ends_the_batch_in_failure(start: Start) -> None:
    story = registered()
    start(story)
    assert story.last.decision.disposition is Disposition.APPLIED
    assert story.last.decision.reason.code is ReasonCode.NO_ESSAYS
    assert story.last.decision.reason.unaccounted == 3
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert story.status.reason == ReasonCode.NO_ESSAYS
    assert {run.status for run in story.batch.phases.values()} == {PhaseStatus.CANCELLED}
    assert {run.reason for run in story.batch.phases.values()} == {PhaseReason.BATCH_ENDED}
    (completed,) = story.completions
    assert (completed.succeeded, completed.failed, completed.completed_phases) == (0, 3, ())


def test_the_same_ready_event_again_is_a_duplicate_whatever_its_order_and_repeats() -> None:
    story = started()
    story.ready(refs([*reversed(story.slots), story.slots[0]]))
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.READY_AGAIN)


@pytest.mark.parametrize(
    "other", [lambda s: refs(s.slots[:2]), lambda s: refs(s.slots, "other")], ids=["fewer essays", "other texts"]
)
def test_a_different_second_ready_event_is_a_conflicting_duplicate(
    other: Callable[[Story], tuple[object, ...]],
) -> None:
    story = started()
    story.tell(EssaysReady(essays=other(story)))  # type: ignore[arg-type]
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.CONFLICTING_READY)


def test_a_repeat_of_the_ready_event_after_the_end_is_still_a_duplicate() -> None:
    story = ended()
    story.ready()
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.READY_AGAIN)
    story.ready(refs(story.slots[:1]))
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.CONFLICTING_READY)


def test_a_first_ready_event_after_the_end_is_stale() -> None:
    story = registered()
    story.invalid(critical=True)
    story.ready()
    assert_ignored(story, Disposition.STALE, ReasonCode.BATCH_ENDED)
    assert story.last.decision.reason.status == "failed_critically"


def test_provisioned_content_starts_a_guest_batch() -> None:
    story = registered()
    decision = story.provisioned()
    assert decision.reason.code is ReasonCode.PIPELINE_STARTED
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert essay_ids(story.commands("spellcheck")[0]) == list(story.slots)
    assert story.matchings == []


def test_a_ready_event_after_provisioned_content_has_started_the_batch_is_a_duplicate() -> None:
    story = registered()
    story.provisioned()
    story.ready()
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.READY_AGAIN)


def test_provisioned_content_has_a_class_batch_matched_first() -> None:
    story = registered(context=CLASS_CONTEXT)
    decision = story.provisioned((*refs(story.slots[:2]), *refs(["foreign"])))
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.STUDENT_MATCHING_STARTED
    assert (decision.reason.essays, decision.reason.foreign, decision.reason.unaccounted) == (2, 1, 1)
    assert story.batch.status is BatchStatus.AWAITING_STUDENT_VALIDATION
    (matching,) = story.matchings
    assert essay_ids(matching) == list(story.slots[:2])
    assert matching.context.class_id == "class-7"
    assert story.commands("spellcheck") == []


@pytest.mark.defect(27)
def test_the_ready_event_starts_a_class_batch_after_its_matching() -> None:
    story = registered(context=CLASS_CONTEXT)
    story.provisioned()
    decision = story.ready()
    assert decision.reason.code is ReasonCode.PIPELINE_STARTED
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert len(story.commands("spellcheck")) == 1
    assert len(story.matchings) == 1


def test_provisioned_content_is_matched_once() -> None:
    story = registered(context=CLASS_CONTEXT)
    story.provisioned()
    story.provisioned()
    assert_ignored(story, Disposition.STALE, ReasonCode.ALREADY_PROVISIONED)
    assert story.batch.status is BatchStatus.AWAITING_STUDENT_VALIDATION


@pytest.mark.parametrize("context", [registered().registration.context, CLASS_CONTEXT], ids=["guest", "class"])
def test_provisioned_content_after_the_start_is_stale(context: object) -> None:
    story = Story(context=context)  # type: ignore[arg-type]
    story.register()
    story.ready()
    story.provisioned()
    assert_ignored(story, Disposition.STALE, ReasonCode.ALREADY_STARTED)


def test_foreign_content_alone_is_stale() -> None:
    story = registered(context=CLASS_CONTEXT)
    story.provisioned(refs(["foreign"]))
    assert_ignored(story, Disposition.STALE, ReasonCode.FOREIGN_ESSAYS_ONLY)


def test_provisioned_content_after_the_end_is_stale() -> None:
    story = ended()
    story.provisioned()
    assert_ignored(story, Disposition.STALE, ReasonCode.BATCH_ENDED)


@pytest.mark.parametrize(
    "body",
    [
        EssaysReady(essays=refs(["a"])),
        ContentProvisioned(essays=refs(["a"])),
        ValidationFailed(critical=True),
        replace(started().concluded("spellcheck"), status=OutcomeStatus.SUCCEEDED),
    ],
    ids=lambda body: type(body).__name__,
)
def test_an_event_for_an_unknown_batch_never_creates_one(body: Body) -> None:
    story = Story()
    decision = story.tell(body)
    assert_ignored(story, Disposition.UNKNOWN, ReasonCode.UNKNOWN_BATCH)
    assert decision.batch is None


def test_a_deadline_of_a_batch_that_is_gone_is_stale_and_no_dead_letter() -> None:
    story = Story()
    decision = story.tell(DeadlineReached(due_ms=0))
    assert_ignored(story, Disposition.STALE, ReasonCode.NO_BATCH_LEFT)
    assert decision.batch is None
