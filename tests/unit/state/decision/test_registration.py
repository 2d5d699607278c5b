"""Registration: the first, its repeats, and what conflicts with it."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from schemas import ids
from schemas.internal.effects import BatchRegistered
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import CancelBatch, PauseBatch, Principal, Request, ResumeBatch, RetryPhase
from state.decision.requests import REMEMBERED_REQUESTS
from tests.unit.state.story import CORRELATION, OWNER, START_MS, Story, assert_ignored, ended, registered

STRANGER = Principal(subject="stranger", organisation="school")
REQUESTS: list[Request] = [
    CancelBatch(request_id="request-2", principal=OWNER, correlation_id=CORRELATION, fingerprint="1:cc"),
    PauseBatch(request_id="request-2", principal=OWNER, correlation_id=CORRELATION, fingerprint="1:cc"),
    ResumeBatch(request_id="request-2", principal=OWNER, correlation_id=CORRELATION, fingerprint="1:cc"),
    RetryPhase(
        request_id="request-2", principal=OWNER, correlation_id=CORRELATION, fingerprint="1:cc", phase="spellcheck"
    ),
]


def test_the_first_registration_begins_the_life_of_a_batch() -> None:
    story = Story(slots=2)
    decision = story.register()
    assert decision.disposition is Disposition.APPLIED
    assert decision.reason.code is ReasonCode.REGISTERED
    assert decision.reason.essays == 2
    assert story.batch.status is BatchStatus.AWAITING_CONTENT_VALIDATION
    assert story.batch.version == story.batch.registered_version == story.last.event.version
    assert story.batch.registered_ms == story.batch.updated_ms == START_MS
    assert story.batch.owner == OWNER


def test_registration_tells_the_peers_the_slots_it_handed_out() -> None:
    story = Story(slots=3)
    (effect,) = story.register().effects
    assert isinstance(effect, BatchRegistered)
    assert effect.essay_ids == story.slots == ids.slot_ids(story.batch_id, story.batch.registered_version, 3)
    assert len(set(effect.essay_ids)) == 3
    assert all(len(essay_id) == 36 for essay_id in effect.essay_ids)
    assert effect.time_ms == START_MS
    assert effect.correlation_id == CORRELATION


def test_phases_asked_for_are_pending_and_the_others_are_skipped_by_the_user() -> None:
    story = registered(phases=["spellcheck"])
    assert story.run("spellcheck").status is PhaseStatus.PENDING_DEPENDENCIES
    assert story.run("cj_assessment").status is PhaseStatus.SKIPPED_BY_USER_CONFIG


def test_effects_join_the_clients_trace() -> None:
    story = Story()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    (effect,) = story.tell(story.registration, traceparent=f"00-{trace}-00f067aa0ba902b7-01").effects
    assert effect.trace_id == trace


def test_without_a_trace_of_the_client_the_correlation_id_is_the_trace() -> None:
    (effect,) = Story().register().effects
    assert effect.trace_id == CORRELATION.replace("-", "")


def test_a_trace_is_never_all_zeros() -> None:
    story = Story()
    (effect,) = story.tell(replace(story.registration, correlation_id=str(UUID(int=0)))).effects
    assert UUID(effect.trace_id).int != 0


@pytest.mark.parametrize("story", [registered(), ended()], ids=["waiting", "ended"])
def test_the_same_registration_under_another_request_id_is_a_duplicate(story: Story) -> None:
    story.tell(replace(story.registration, request_id="request-2", correlation_id="other"))
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.SAME_REGISTRATION)
    answer = story.last.history.answer
    assert answer is not None
    assert answer.correlation_id == CORRELATION
    assert answer.status is story.batch.status


def test_the_same_request_again_is_a_duplicate_with_its_answer() -> None:
    story = registered()
    decision = story.register()
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.REQUEST_ALREADY_DECIDED)
    assert decision.reason.status == "applied"
    assert decision.reason.detail == "registered"


@pytest.mark.defect(28)
def test_another_registration_under_the_same_batch_id_is_refused() -> None:
    story = registered()
    decision = story.tell(replace(story.registration, request_id="request-2", fingerprint="1:bb"))
    assert decision.disposition is Disposition.REFUSED
    assert decision.reason.code is ReasonCode.KEY_REUSED
    assert decision.effects == ()


def test_a_request_id_with_other_content_is_refused_even_if_the_content_is_the_registrations() -> None:
    story = registered()
    story.tell(replace(story.registration, fingerprint="1:bb"))
    assert_ignored(story, Disposition.REFUSED, ReasonCode.KEY_REUSED)
    assert story.last.decision.reason.detail == "request id"


def test_a_refused_request_is_remembered_and_its_repeat_gets_the_same_answer() -> None:
    story = registered()
    other = replace(story.registration, request_id="request-2", fingerprint="1:bb")
    story.tell(other)
    decision = story.tell(other)
    assert_ignored(story, Disposition.DUPLICATE, ReasonCode.REQUEST_ALREADY_DECIDED)
    assert decision.reason.status == "refused"
    assert decision.reason.detail == "key_reused"


def test_a_refusal_leaves_version_status_and_time_of_the_batch_alone() -> None:
    story = registered()
    before = story.batch
    story.tell(replace(story.registration, request_id="request-2", fingerprint="1:bb"))
    assert replace(story.batch, decided=before.decided) == before


def test_the_last_requests_are_remembered_and_no_more() -> None:
    story = registered()
    for index in range(REMEMBERED_REQUESTS + 5):
        story.tell(replace(story.registration, request_id=f"other-{index}", fingerprint="1:bb"))
    assert len(story.batch.decided) == REMEMBERED_REQUESTS
    assert story.batch.decided[-1].request_id == f"other-{REMEMBERED_REQUESTS + 4}"
    assert story.batch.decided[0].request_id == "other-5"


@pytest.mark.parametrize(
    "principal", [STRANGER, replace(OWNER, organisation="elsewhere")], ids=["subject", "organisation"]
)
def test_a_stranger_who_registers_the_same_batch_is_refused(principal: Principal) -> None:
    story = registered()
    decision = story.tell(replace(story.registration, request_id="request-2", principal=principal))
    assert decision.disposition is Disposition.REFUSED
    assert decision.reason.code is ReasonCode.FOREIGN_BATCH_ID
    assert decision.effects == ()
    assert story.batch.owner == OWNER


def test_a_stranger_learns_nothing_by_repeating_the_owners_request() -> None:
    story = registered()
    decision = story.tell(replace(story.registration, principal=STRANGER))
    assert (decision.disposition, decision.reason.code) == (Disposition.REFUSED, ReasonCode.FOREIGN_BATCH_ID)
    assert story.told[-1].history.answer is None
    assert len(story.batch.decided) == 1


@pytest.mark.parametrize("request_body", REQUESTS, ids=lambda body: type(body).__name__)
def test_a_request_for_an_unknown_batch_is_refused_and_creates_none(request_body: Request) -> None:
    story = Story()
    decision = story.tell(request_body)
    assert_ignored(story, Disposition.REFUSED, ReasonCode.UNKNOWN_BATCH)
    assert decision.batch is None


def test_another_life_of_the_same_batch_id_gets_other_slots_and_ids() -> None:
    first, second = Story(), Story()
    second.offset += 1
    (one,) = first.register().effects
    (other,) = second.register().effects
    assert one.event_id != other.event_id
    assert set(first.slots).isdisjoint(second.slots)
