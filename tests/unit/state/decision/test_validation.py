"""Validation errors: files that never became essays."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import FileFailure, ValidationFailed
from state.decision.result import Decision
from state.decision.start import REMEMBERED_VALIDATIONS
from tests.unit.state.story import Story, assert_ignored, ended, failures, refs, registered, started

Event = Callable[[Story], Decision]
FAILURE = FileFailure("TOO_SHORT", "too few words", "essay.txt", "essay-1")
NOTED = ValidationFailed(critical=False, failures=(FAILURE,), total=2)


def test_failures_that_are_not_critical_are_noted_and_the_batch_goes_on_waiting() -> None:
    story = registered()
    decision = story.invalid(critical=False, failed=2)
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.VALIDATION_FAILURES_RECORDED
    assert decision.reason.essays == 2
    assert decision.effects == ()
    assert story.batch.status is BatchStatus.AWAITING_CONTENT_VALIDATION
    assert story.status.file_failures == failures(2)
    assert story.batch.version == story.last.event.version
    assert story.ready(refs(story.slots[:1])).reason.code is ReasonCode.PIPELINE_STARTED


def test_failures_are_counted_even_where_the_event_names_only_some() -> None:
    story = registered()
    assert story.invalid(critical=False, failed=2, total=7).reason.essays == 7
    assert story.invalid(critical=False, failed=1).reason.essays == 1
    assert story.status.file_failures_total == 8
    assert len(story.status.file_failures) == 3


def test_a_critical_failure_ends_a_batch_that_has_not_started() -> None:
    story = registered()
    decision = story.invalid(critical=True, failed=3)
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.CRITICAL_VALIDATION_FAILURE
    assert story.batch.status is BatchStatus.FAILED_CRITICALLY
    assert story.status.reason == ReasonCode.CRITICAL_VALIDATION_FAILURE
    assert story.status.file_failures_total == 3
    assert {run.status for run in story.batch.phases.values()} == {PhaseStatus.CANCELLED}
    assert {run.reason for run in story.batch.phases.values()} == {PhaseReason.BATCH_ENDED}
    (completed,) = story.completions
    assert completed.final_status is BatchStatus.FAILED_CRITICALLY
    assert (completed.succeeded, completed.failed) == (0, 3)


@pytest.mark.defect(47)
def test_a_critical_failure_of_a_started_batch_is_noted_and_ends_nothing() -> None:
    story = started()
    decision = story.invalid(critical=True, failed=2)
    assert (decision.disposition, decision.effects) == (Disposition.APPLIED, ())
    assert (decision.reason.code, decision.reason.essays) == (ReasonCode.VALIDATION_FAILURES_RECORDED, 2)
    assert story.status.file_failures_total == 2
    assert story.outcome("spellcheck").disposition is Disposition.APPLIED


def test_failures_that_come_after_the_start_are_noted_too() -> None:
    # They come on a topic of their own: the event that started the batch can overtake them.
    story = started()
    decision = story.invalid(critical=False, failed=2)
    assert decision.disposition is Disposition.APPLIED
    assert decision.effects == ()
    assert story.batch.status is BatchStatus.PROCESSING_PIPELINES
    assert story.status.file_failures == failures(2)


def test_the_same_failures_again_are_a_duplicate_and_counted_once() -> None:
    story = registered()
    story.invalid(critical=False, failed=2)
    story.invalid(critical=False, failed=2)
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.VALIDATION_FAILURES_ALREADY_RECORDED)
    assert story.status.file_failures_total == 2


def test_the_critical_failure_that_ended_a_batch_is_a_duplicate_when_it_comes_again() -> None:
    story = registered()
    story.invalid(critical=True)
    story.invalid(critical=True)
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.VALIDATION_FAILURES_ALREADY_RECORDED)


CRITICAL_FIRST = (lambda s: s.invalid(critical=True, failed=2), lambda s: s.ready([], failures(1)))
EMPTY_FIRST = (lambda s: s.ready([], failures(1)), lambda s: s.invalid(critical=True, failed=2))
PROVISIONED_FIRST = (lambda s: s.provisioned([]), lambda s: s.invalid(critical=True, failed=3))


@pytest.mark.parametrize("events", [CRITICAL_FIRST, EMPTY_FIRST, PROVISIONED_FIRST], ids=["critical", "empty", "head"])
def test_with_no_valid_file_the_reasons_are_kept_whichever_event_comes_first(events: tuple[Event, Event]) -> None:
    story = registered()
    first, second = events
    first(story)
    ended = story.batch
    assert ended.status is BatchStatus.FAILED_CRITICALLY
    decision = second(story)
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.VALIDATION_FAILURES_RECORDED
    assert decision.effects == ()
    assert story.status.file_failures_total == 3
    assert len(story.status.file_failures) == 3
    assert (story.batch.status, story.batch.reason, story.batch.ended_ms, story.batch.deadlines) == (
        *(ended.status, ended.reason, ended.ended_ms, ended.deadlines),
    )
    assert len(story.completions) == 1
    for again in events:
        again(story)
        assert story.last.decision.disposition in (Disposition.DUPLICATE, Disposition.STALE)
    assert story.status.file_failures_total == 3


def test_a_ready_event_after_such_an_end_that_names_essays_or_no_reason_is_stale() -> None:
    story = registered()
    story.invalid(critical=True)
    for essays, failed in ((None, failures(1)), ([], ())):
        story.ready(essays, failed)
        assert_ignored(story, Disposition.STALE, ReasonCode.BATCH_ENDED)


def test_failures_after_the_end_are_stale() -> None:
    story = ended()
    for critical in (False, True):
        story.invalid(critical=critical)
        assert_ignored(story, Disposition.STALE, ReasonCode.BATCH_ENDED)


@pytest.mark.parametrize(
    "other",
    [
        replace(NOTED, critical=True),
        replace(NOTED, total=7),
        replace(NOTED, failures=(replace(FAILURE, code="OTHER"),)),
        replace(NOTED, failures=(replace(FAILURE, message="other words"),)),
        replace(NOTED, failures=(replace(FAILURE, file_name="other.txt"),)),
        replace(NOTED, failures=(replace(FAILURE, essay_id="essay-2"),)),
        replace(NOTED, failures=(FAILURE, replace(FAILURE, file_name="another.txt"))),
    ],
    ids=["critical", "total", "code", "message", "file", "essay", "one more"],
)
def test_errors_that_differ_in_anything_are_no_repeat(other: ValidationFailed) -> None:
    story = started()
    story.tell(NOTED)
    assert story.tell(other).disposition is Disposition.APPLIED


def test_errors_are_a_repeat_whatever_their_order_and_repeats() -> None:
    story = started()
    other = replace(FAILURE, file_name="another.txt")
    story.tell(replace(NOTED, failures=(FAILURE, other)))
    story.tell(replace(NOTED, failures=(other, FAILURE, other)))
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.VALIDATION_FAILURES_ALREADY_RECORDED)


def test_the_last_errors_are_remembered_and_no_more() -> None:
    story = started()
    for total in range(REMEMBERED_VALIDATIONS + 2):
        story.tell(replace(NOTED, total=100 + total))
    assert len(story.batch.validations) == REMEMBERED_VALIDATIONS
    story.tell(replace(NOTED, total=102))
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.VALIDATION_FAILURES_ALREADY_RECORDED)
    assert story.tell(replace(NOTED, total=100)).disposition is Disposition.APPLIED
