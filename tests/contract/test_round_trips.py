"""What a peer says arrives as it was meant, in each era; what is written inside is read as it was written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.errors import NewerRecord, OlderRecord
from schemas.inbound.normalise import normalise
from schemas.internal.codec import RecordDecoder, encode
from schemas.internal.events import (
    Body,
    ContentProvisioned,
    EssaysReady,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    ValidationFailed,
)
from schemas.internal.records import (
    decode_history,
    decode_inbox,
    decode_process,
    decode_status,
    history_outgoing,
    inbox_outgoing,
    status_outgoing,
)
from schemas.public.registration import fingerprint, parse_registration
from schemas.public.requests import request_record
from schemas.topics import Topic
from state.codec import decode_batch, encode_batch
from state.decision.records import status_record
from tests.contract import strategies as some
from tests.contract.batches import AT, NOW, POLICY, story_of
from tests.contract.eras import ERAS
from tests.unit.state.story import refs

eras = st.sampled_from(ERAS)


def body_of(topic: Topic, data: dict[str, Any], **fields: Any) -> Body:
    return normalise(topic, AT, some.envelope(topic.value, data, **fields), {}, POLICY).body


@given(some.ready, some.uuids, eras)
def test_essays_ready(event: EssaysReady, batch_id: str, era: str) -> None:
    essays = some.without_metrics(event.essays, era)
    expected = replace(event, essays=essays, failures=() if era == "head" else event.failures)
    assert body_of(Topic.ESSAYS_READY, some.ready_data(event, batch_id, era)) == expected


@given(some.provisioned, some.uuids)
def test_content_provisioned(event: ContentProvisioned, batch_id: str) -> None:
    assert body_of(Topic.CONTENT_PROVISIONED, some.provisioned_data(event, batch_id)) == event


@given(some.validation_failed, some.uuids)
def test_validation_failed(event: ValidationFailed, batch_id: str) -> None:
    assert body_of(Topic.VALIDATION_ERRORS, some.validation_data(event, batch_id)) == event


@given(some.outcomes, some.uuids, eras, st.sampled_from([Topic.OUTCOME, Topic.OUTCOME_SEED]))
def test_phase_concluded(event: PhaseConcluded, batch_id: str, era: str, topic: Topic) -> None:
    expected = replace(event, essays=some.without_metrics(event.essays, era))
    assert body_of(topic, some.outcome_data(event, batch_id, era), correlation_id=None) == expected


@given(some.registration_bodies(some.identifiers), some.principals, some.uuids, some.uuids, some.names)
def test_registration(
    body: dict[str, Any], principal: Principal, batch_id: str, correlation: str, request_id: str
) -> None:
    record = request_record(
        request_id=request_id,
        kind="register",
        batch_id=batch_id,
        principal=principal,
        correlation_id=correlation,
        body=body,
        now=NOW,
    )
    found = normalise(Topic.REQUESTS, AT, record, {}, POLICY)
    registration = parse_registration(body, POLICY, principal)
    assert found.batch_id == batch_id
    assert found.origin.produced_ms == 1_767_312_000_000
    assert found.body == RegisterBatch(
        request_id=request_id,
        principal=principal,
        correlation_id=correlation,
        fingerprint=fingerprint(body),
        expected_essay_count=body["expected_essay_count"],
        context=registration.context,
        pipeline=registration.pipeline,
        requested_phases=registration.requested_phases,
    )


bodies = st.one_of(some.ready, some.provisioned, some.validation_failed, some.outcomes)


@given(bodies, some.uuids)
def test_an_inbox_record_is_read_as_it_was_written(body: Body, batch_id: str) -> None:
    record = normalise(
        Topic.ESSAYS_READY,
        AT,
        some.envelope(Topic.ESSAYS_READY.value, {"batch_id": batch_id, "ready_essays": []}),
        {},
        POLICY,
    )
    record = replace(record, body=body)
    outgoing = inbox_outgoing(record)
    assert outgoing.key.decode() == batch_id
    assert decode_inbox(outgoing.value or b"") == record


@given(some.registration_bodies(some.identifiers), st.lists(some.outcomes, max_size=3), st.integers(0, 30))
def test_batches_status_and_history_are_read_as_they_were_written(
    body: dict[str, Any], outcomes: list[PhaseConcluded], ready: int
) -> None:
    story = story_of("0b352314-208c-5ed1-81ba-5ce3fbb9d912", body)
    story.ready(refs(story.slots[:ready]))
    for outcome in outcomes:
        story.tell(outcome)
    assert len(story.told) == 2 + len(outcomes)
    for told in story.told:
        after = told.decision.batch
        assert after is not None
        assert decode_batch(encode_batch(after)) == after
        status = status_record(after)
        assert decode_status(status_outgoing(status).value or b"") == status
        assert decode_history(history_outgoing(told.history).value or b"") == told.history


@pytest.mark.parametrize("decode", [decode_inbox, decode_status, decode_history, decode_process, decode_batch])
def test_a_newer_record_stops_its_reader(decode: RecordDecoder[Any]) -> None:
    with pytest.raises(NewerRecord):
        decode(encode({"writer": 9, "least_reader": 9, "what": "this reader cannot know"}))


@pytest.mark.parametrize("decode", [decode_inbox, decode_status, decode_history, decode_process, decode_batch])
def test_a_record_of_a_format_that_is_no_longer_read_stops_its_reader(decode: RecordDecoder[Any]) -> None:
    with pytest.raises(OlderRecord):
        decode(encode({"writer": 0, "least_reader": 0, "what": "this reader no longer knows"}))
