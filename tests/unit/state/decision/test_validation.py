"""Validation errors: files that never became essays."""

import pytest

from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus, ReasonCode
from tests.unit.state.story import assert_ignored, ended, failures, refs, registered, started


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


def test_failures_after_the_end_are_stale() -> None:
    story = ended()
    for critical in (False, True):
        story.invalid(critical=critical)
        assert_ignored(story, Disposition.STALE, ReasonCode.BATCH_ENDED)
