"""What readers see: the status record, and a history record for every event."""

import pytest
from msgspec.structs import replace

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, LostReason, PhaseStatus, ReasonCode
from schemas.internal.history import NO_VERSION, Answer, Change, EffectNote
from schemas.internal.status import Counts, FailedEssay, PhaseView
from state.decision.records import effect_note, history_record
from tests.unit.state import givens
from tests.unit.state.story import (
    CLASS_CONTEXT,
    CORRELATION,
    FIRST_OFFSET,
    OWNER,
    START_MS,
    STEP_MS,
    Story,
    pipeline,
    refs,
    registered,
    started,
)


def test_a_registered_batch_counts_its_slots_alone() -> None:
    assert registered().status.counts == Counts(expected=3)


def test_status_says_who_the_batch_is() -> None:
    story = registered(phases=["spellcheck"])
    status = story.status
    assert (status.batch_id, status.correlation_id) == (story.batch_id, CORRELATION)
    assert (status.owner_subject, status.owner_organisation) == (OWNER.subject, OWNER.organisation)
    assert (status.pipeline, status.pipeline_version) == ("default", 1)
    assert status.requested_phases == ("spellcheck",)
    assert status.context == story.registration.context


def test_a_phase_that_runs_has_its_start_and_no_results() -> None:
    story = started()
    assert story.status.phases["spellcheck"] == PhaseView(
        status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=3, started_ms=START_MS + STEP_MS
    )
    assert story.status.phases["cj_assessment"] == PhaseView(status=PhaseStatus.PENDING_DEPENDENCIES)


def test_an_ended_phase_shows_its_counts_and_times() -> None:
    story = started(slots=4)
    a, b, c, _ = story.slots
    story.outcome("spellcheck", ok=[a, b, "foreign"], failed=[c])
    assert story.status.phases["spellcheck"] == PhaseView(
        status=PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
        attempt=1,
        commanded=4,
        succeeded=2,
        failed=1,
        unaccounted=1,
        foreign=1,
        started_ms=START_MS + STEP_MS,
        completed_ms=START_MS + 2 * STEP_MS,
    )


def test_essays_are_counted_over_all_phases_from_what_was_recorded() -> None:
    story = registered(slots=6)
    story.ready(refs(story.slots[:5]))
    story.outcome("spellcheck", failed=story.slots[:1])
    story.outcome("cj_assessment", failed=story.slots[1:2])
    assert story.status.counts == Counts(expected=6, ready=5, unaccounted=1, succeeded=3, failed=2)
    assert story.status.failed_essays == (
        FailedEssay(story.slots[0], "spellcheck", LostReason.FAILED),
        FailedEssay(story.slots[1], "cj_assessment", LostReason.FAILED),
    )


def test_an_essay_that_two_parallel_phases_lost_is_counted_once() -> None:
    story = started(pipeline(a=(), b=()))
    story.outcome("a", failed=story.slots[:1])
    story.outcome("b", failed=story.slots[:1])
    assert (story.status.counts.succeeded, story.status.counts.failed) == (2, 1)
    assert (story.completions[0].succeeded, story.completions[0].failed) == (2, 1)


def test_status_times_are_those_of_the_events() -> None:
    story = started(phases=["spellcheck"])
    story.outcome("spellcheck")
    story.ready()
    status = story.status
    assert status.registered_ms == START_MS
    assert status.updated_ms == status.ended_ms == START_MS + 2 * STEP_MS


# --------------------------------------------------------------------------------------------------------- history


def test_every_record_names_its_place_its_kind_and_its_origin() -> None:
    story = registered()
    history = story.last.history
    assert (history.partition, history.offset, history.time_ms) == (0, FIRST_OFFSET, START_MS)
    assert history.kind == "register"
    assert history.origin == story.last.event.origin
    story.ready()
    assert story.last.history.kind == "essays_ready"
    assert story.last.history.reason == story.last.decision.reason


def test_applied_records_form_a_chain_of_versions() -> None:
    story = registered()
    story.outcome("spellcheck", ok=story.slots)  # stale
    story.ready()
    story.ready()  # duplicate
    story.outcome("spellcheck")
    chain = [(told.history.based_on, told.history.version) for told in story.told]
    assert chain == [(NO_VERSION, 100), (100, 100), (100, 102), (102, 102), (102, 104)]


def test_a_record_of_no_batch_has_no_version() -> None:
    story = Story()
    story.ready([])
    history = story.last.history
    assert (history.based_on, history.version) == (NO_VERSION, NO_VERSION)
    assert history.disposition is Disposition.UNKNOWN


def test_changes_name_the_batchs_and_the_phases_statuses_from_and_to() -> None:
    story = registered(phases=["spellcheck"])
    story.ready()
    story.outcome("spellcheck")
    registration, ready, outcome = (told.history.changes for told in story.told)
    assert registration == (
        Change(before=None, after="awaiting_content_validation"),
        Change(phase="spellcheck", before=None, after="pending_dependencies"),
        Change(phase="cj_assessment", before=None, after="skipped_by_user_config"),
    )
    assert ready == (
        Change(before="awaiting_content_validation", after="processing_pipelines"),
        Change(phase="spellcheck", before="pending_dependencies", after="dispatch_initiated"),
    )
    assert outcome == (
        Change(before="processing_pipelines", after="completed_successfully"),
        Change(phase="spellcheck", before="dispatch_initiated", after="completed_successfully"),
    )


def test_a_refusal_changes_nothing_that_readers_see() -> None:
    story = registered()
    story.tell(replace(story.registration, request_id="request-2", fingerprint="1:bb"))
    assert story.last.history.changes == ()
    assert story.last.history.disposition is Disposition.REFUSED


def test_an_outcomes_record_counts_what_that_outcome_said() -> None:
    story = started()
    story.outcome("spellcheck", failed=story.slots[:1])
    history = story.last.history
    assert (history.succeeded, history.failed) == (2, 1)
    assert history.failed_essays == (FailedEssay(story.slots[0], "spellcheck", LostReason.FAILED),)
    story.outcome("cj_assessment")
    assert (story.last.history.succeeded, story.last.history.failed) == (2, 0)
    assert story.last.history.failed_essays == ()


def test_the_record_of_a_later_attempt_counts_that_attempt_alone() -> None:
    story = givens.second_attempt()
    story.reach(DeadlineKind.STALLED, "a")
    assert (story.last.history.succeeded, story.last.history.failed) == (0, 0)
    story.answer("a", failed=[2])
    history = story.last.history
    assert (history.succeeded, history.failed) == (1, 1)
    assert history.failed_essays == (FailedEssay(story.slots[2], "a", LostReason.FAILED),)


def test_the_record_of_an_event_that_ends_no_attempt_counts_nothing() -> None:
    story = started()
    assert (story.last.history.succeeded, story.last.history.failed) == (0, 0)
    story.invalid(critical=False)
    assert story.last.decision.disposition is Disposition.APPLIED
    assert (story.last.history.succeeded, story.last.history.failed) == (0, 0)


def test_a_request_gets_its_actor_and_its_answer_also_on_a_repeat() -> None:
    story = registered()
    answer = Answer(
        batch_id=story.batch_id,
        correlation_id=CORRELATION,
        status=BatchStatus.AWAITING_CONTENT_VALIDATION,
        version=FIRST_OFFSET,
    )
    assert story.last.history.answer == answer
    assert (story.last.history.actor, story.last.history.request_id) == (OWNER, "request-1")
    story.tell(replace(story.registration, correlation_id="another", request_id="request-2"))
    assert story.last.history.answer == answer
    assert story.last.history.request_id == "request-2"


def test_an_event_of_a_peer_has_no_actor_and_no_answer() -> None:
    history = started().last.history
    assert (history.actor, history.request_id, history.answer) == (None, None, None)


def test_what_was_published_and_dead_lettered_is_noted_as_given() -> None:
    told = started().last
    note = EffectNote("command_phase", "id", "topic", "spellcheck", 1, 3)
    history = history_record(told.before, told.event, told.decision, (note,), "dead-letter")
    assert history.effects == (note,)
    assert history.dead_letter_id == "dead-letter"


@pytest.mark.parametrize("topic", [{}, {"topic": "real.name"}], ids=["not published", "published"])
def test_each_effect_is_noted_with_its_topic_and_how_many_essays_it_commands(topic: dict[str, str]) -> None:
    story = registered(phases=["spellcheck"], context=CLASS_CONTEXT)
    story.provisioned(refs(story.slots[:2]))
    story.ready()
    story.outcome("spellcheck")
    notes = [effect_note(effect, **topic) for effect in story.effects]
    name = topic.get("topic", "")
    assert notes == [
        EffectNote("batch_registered", story.effects[0].event_id, name),
        EffectNote("command_student_matching", story.effects[1].event_id, name, essays=2),
        EffectNote("command_phase", story.effects[2].event_id, name, "spellcheck", 1, 3),
        EffectNote("pipeline_completed", story.effects[3].event_id, name),
    ]


def test_reason_parameters_say_how_many_and_what_stood_in_the_way() -> None:
    story = started()
    story.outcome("spellcheck", ok=[*story.slots[:1], "foreign"], failed=story.slots[1:2])
    reason = story.last.history.reason
    assert (reason.code, reason.phase, reason.attempt) == (ReasonCode.PHASE_COMPLETED, "spellcheck", 1)
    assert (reason.essays, reason.foreign, reason.unaccounted) == (1, 1, 1)
