"""What cannot be used is refused with a code of its own; nothing else than that can come of a record."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import ids
from schemas.errors import NewerRecord, UnreadableRecord
from schemas.inbound.normalise import normalise
from schemas.internal.dead_letters import dead_letter
from schemas.internal.events import (
    CancelBatch,
    EssaysReady,
    InboxRecord,
    PauseBatch,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    ResumeBatch,
    RetryPhase,
)
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import decode_inbox, inbox_outgoing
from schemas.limits import Limits
from schemas.public.registration import RegistrationPolicy
from schemas.public.requests import request_record
from schemas.topics import ROUTER_INPUTS, Topic
from state.pipelines.loader import load_pipelines

POLICY = RegistrationPolicy(pipeline=load_pipelines())
BATCH = "0b352314-208c-5ed1-81ba-5ce3fbb9d912"
REFS = [{"essay_id": "e1", "text_storage_id": "t1"}, {"essay_id": "e2", "text_storage_id": "t2"}]
READY = {"batch_id": BATCH, "ready_essays": REFS}
OUTCOME = {
    "batch_id": BATCH,
    "phase_name": "spellcheck",
    "phase_status": "completed_successfully",
    "processed_essays": REFS,
    "failed_essay_ids": [],
}
DATA: dict[Topic, dict[str, Any]] = {
    Topic.ESSAYS_READY: READY,
    Topic.OUTCOME: OUTCOME,
    Topic.OUTCOME_SEED: OUTCOME,
    Topic.CONTENT_PROVISIONED: {"batch_id": BATCH, "essays_for_processing": REFS},
    Topic.VALIDATION_ERRORS: {
        "batch_id": BATCH,
        "failed_essays": [{"essay_id": "", "file_name": "f", "error_detail": {"error_code": "c", "message": "m"}}],
        "error_summary": {"total_errors": 1},
    },
    Topic.REQUESTS: {"request_id": "r-1", "kind": "pause", "batch_id": BATCH, "principal": None, "body": {}},
}


def envelope(topic: Topic, data: object = None, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "event_id": "5cf33cd4-881a-566c-86f3-c85eec47f87f",
        "event_type": topic.value,
        "event_timestamp": "2025-06-16T08:30:00.123456Z",
        "source_service": "essay-lifecycle-service",
        "correlation_id": "4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        "data": DATA[topic] if data is None else data,
    }
    return {name: value for name, value in {**document, **fields}.items() if value is not ...}


def read(
    topic: Topic,
    value: bytes | dict[str, Any] | None,
    headers: dict[str, bytes] | None = None,
    policy: RegistrationPolicy = POLICY,
) -> InboxRecord:
    raw = json.dumps(value).encode() if isinstance(value, dict) else value
    return normalise(topic, RecordPosition(policy.topics.name(topic), 2, 17), raw, headers or {}, policy)


def refusal(
    topic: Topic, value: bytes | dict[str, Any] | None, headers: dict[str, bytes] | None = None
) -> UnreadableRecord:
    with pytest.raises(UnreadableRecord) as refused:
        read(topic, value, headers)
    assert refused.value.next_step
    return refused.value


READY_TOPIC = Topic.ESSAYS_READY

REFUSALS: list[tuple[str, Topic, bytes | dict[str, Any] | None, str]] = [
    ("not JSON", READY_TOPIC, b"\x00\x01 not json {", "ORC-NOT-JSON"),
    ("no value", READY_TOPIC, None, "ORC-NOT-JSON"),
    ("empty value", READY_TOPIC, b"", "ORC-NOT-JSON"),
    ("not UTF-8", READY_TOPIC, b'{"event_type": "\xff"}', "ORC-NOT-JSON"),
    ("half a surrogate", READY_TOPIC, envelope(READY_TOPIC, {**READY, "batch_id": "\ud800"}), "ORC-NOT-JSON"),
    ("NaN", READY_TOPIC, envelope(READY_TOPIC, {**READY, "x": float("nan")}), "ORC-NOT-JSON"),
    ("infinity", READY_TOPIC, envelope(READY_TOPIC, {**READY, "x": float("-inf")}), "ORC-NOT-JSON"),
    ("too deep", READY_TOPIC, b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "ORC-NOT-JSON"),
    ("a list", READY_TOPIC, b"[]", "ORC-FIELDS"),
    ("null data", READY_TOPIC, b'{"event_type": "x", "source_service": "y", "data": null}', "ORC-FIELDS"),
    ("no batch id", READY_TOPIC, envelope(READY_TOPIC, {"ready_essays": []}), "ORC-FIELDS"),
    ("empty batch id", READY_TOPIC, envelope(READY_TOPIC, {**READY, "batch_id": ""}), "ORC-FIELDS"),
    ("long batch id", READY_TOPIC, envelope(READY_TOPIC, {**READY, "batch_id": "b" * 256}), "ORC-FIELDS"),
    ("no source", READY_TOPIC, envelope(READY_TOPIC, source_service=...), "ORC-FIELDS"),
    ("bad event id", READY_TOPIC, envelope(READY_TOPIC, event_id="x"), "ORC-FIELDS"),
    ("bad time", READY_TOPIC, envelope(READY_TOPIC, event_timestamp="yesterday"), "ORC-FIELDS"),
    ("essays are no list", READY_TOPIC, envelope(READY_TOPIC, {**READY, "ready_essays": {}}), "ORC-FIELDS"),
    ("no text", READY_TOPIC, envelope(READY_TOPIC, {**READY, "ready_essays": [{"essay_id": "e"}]}), "ORC-FIELDS"),
    ("bad correlation", READY_TOPIC, envelope(READY_TOPIC, correlation_id="not-a-uuid"), "ORC-CORRELATION-ID"),
    (
        "bad own correlation",
        Topic.OUTCOME,
        envelope(Topic.OUTCOME, {**OUTCOME, "correlation_id": "x"}),
        "ORC-CORRELATION-ID",
    ),
    (
        "other status",
        Topic.OUTCOME,
        envelope(Topic.OUTCOME, {**OUTCOME, "phase_status": "PARTIAL"}),
        "ORC-OUTCOME-STATUS",
    ),
    (
        "status of a batch",
        Topic.OUTCOME,
        envelope(Topic.OUTCOME, {**OUTCOME, "phase_status": "processing_pipelines"}),
        "ORC-OUTCOME-STATUS",
    ),
    ("no phase", Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "phase_name": ""}), "ORC-FIELDS"),
    (
        "too many essays",
        READY_TOPIC,
        envelope(READY_TOPIC, {**READY, "ready_essays": REFS[:1] * 5_001}),
        "ORC-TOO-MANY-ESSAYS",
    ),
    (
        "too many failures",
        Topic.OUTCOME,
        envelope(Topic.OUTCOME, {**OUTCOME, "failed_essay_ids": ["e"] * 5_001}),
        "ORC-TOO-MANY-ESSAYS",
    ),
    ("too large", READY_TOPIC, b" " * (Limits().input_bytes + 1), "ORC-TOO-LARGE"),
    ("replay of nothing", Topic.REPLAY, b"{}", "ORC-REPLAY"),
]


@pytest.mark.parametrize(("topic", "value", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_it_is_refused_with_its_code(topic: Topic, value: bytes | dict[str, Any] | None, code: str) -> None:
    assert refusal(topic, value).code == code


@pytest.mark.parametrize("limit", ["5000", "batch holds at most"])
def test_too_many_essays_are_refused_with_the_limit(limit: str) -> None:
    assert limit in refusal(READY_TOPIC, envelope(READY_TOPIC, {**READY, "ready_essays": REFS[:1] * 5_001})).message


def test_a_refusal_names_the_field_and_not_the_data() -> None:
    error = refusal(READY_TOPIC, envelope(READY_TOPIC, {"batch_id": BATCH, "ready_essays": ["secret words"]}))
    assert "data.ready_essays.0" in error.message
    assert "secret words" not in error.message


def test_metrics_of_any_kind_go_on_untouched() -> None:
    metrics = {"n": 2**70, "deep": [{"a": [None, 0.1, "å"]}], "": -1}
    ref = {"essay_id": "e", "text_storage_id": "t", "spellcheck_metrics": metrics}
    record = read(READY_TOPIC, envelope(READY_TOPIC, {**READY, "ready_essays": [ref]}))
    again = decode_inbox(inbox_outgoing(record).value or b"").body
    assert isinstance(again, EssaysReady)
    assert again.essays[0].spellcheck_metrics == metrics


# ----------------------------------------------------------------------------- identity and origin


def test_an_event_without_an_id_gets_that_of_its_place() -> None:
    record = read(READY_TOPIC, envelope(READY_TOPIC, event_id=...))
    assert record.origin.event_id == ids.record_id(READY_TOPIC.value, 2, 17)


def test_the_origin_says_where_it_came_from() -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    origin = read(READY_TOPIC, envelope(READY_TOPIC), {"traceparent": trace}).origin
    assert (origin.topic, origin.partition, origin.offset) == (READY_TOPIC.value, 2, 17)
    assert origin.source == "essay-lifecycle-service"
    assert origin.produced_ms == 1_750_062_600_123
    assert origin.correlation_id == "4c152a9b-d7e7-58da-a8f2-2cf175e883f3"
    assert origin.traceparent == trace.decode()


@pytest.mark.parametrize("trace", [b"", b"junk", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"\xff"])
def test_a_broken_trace_is_left_out(trace: bytes) -> None:
    assert read(READY_TOPIC, envelope(READY_TOPIC), {"traceparent": trace}).origin.traceparent is None


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2025-06-16T08:30:00.123", 1_750_062_600_123),
        ("2025-06-16T10:30:00.123+02:00", 1_750_062_600_123),
        (1_750_062_600, 1_750_062_600_000),
        (..., 0),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139_000),
    ],
)
def test_the_producers_time_is_taken_as_lax_as_ever(time: Any, expected: int) -> None:
    assert read(READY_TOPIC, envelope(READY_TOPIC, event_timestamp=time)).origin.produced_ms == expected


# ---------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("cancel", {"reason": "withdrawn"}, CancelBatch),
        ("pause", {}, PauseBatch),
        ("resume", {}, ResumeBatch),
        ("retry", {"phase": "spellcheck"}, RetryPhase),
        ("register", {"expected_essay_count": 1, "course_code": "SV1", "user_id": "u"}, RegisterBatch),
    ],
)
def test_every_kind_of_request_is_read(kind: str, body: dict[str, Any], expected: type) -> None:
    record = request_record(
        request_id="r-1",
        kind=kind,
        batch_id=BATCH,
        principal=Principal(subject="s"),
        correlation_id=None,
        body=body,
        now=datetime.now(UTC),
    )
    found = read(Topic.REQUESTS, record)
    assert isinstance(found.body, expected)
    assert isinstance(found.body, CancelBatch | PauseBatch | ResumeBatch | RetryPhase | RegisterBatch)
    assert found.body.principal == Principal(subject="s")
    assert found.body.correlation_id == ids.request_correlation_id("r-1")
    assert found.origin.event_id == ids.request_event_id("r-1")


def test_an_id_used_for_another_kind_of_request_is_a_conflict() -> None:
    def fingerprint(kind: str) -> str:
        data: dict[str, Any] = {"request_id": "r-1", "kind": kind, "batch_id": BATCH, "principal": None, "body": {}}
        body = read(Topic.REQUESTS, envelope(Topic.REQUESTS, data=data)).body
        assert isinstance(body, CancelBatch | PauseBatch | ResumeBatch)
        return body.fingerprint

    assert len({fingerprint(kind) for kind in ("cancel", "pause", "resume")}) == 3
    assert fingerprint("pause") == fingerprint("pause")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "explode"}, "ORC-FIELDS"),
        ({"body": [1]}, "ORC-FIELDS"),
        ({"batch_id": 7}, "ORC-FIELDS"),
        ({"kind": "retry"}, "ORC-REQUEST-BODY"),
        ({"kind": "register"}, "ORC-REQUEST-BODY"),
        ({"kind": "cancel", "body": {"reason": "x" * 501}}, "ORC-REQUEST-BODY"),
        ({"kind": "cancel", "body": {"x": 2**60}}, "ORC-REQUEST-BODY"),
    ],
)
def test_a_refused_request_keeps_its_id(change: dict[str, Any], code: str) -> None:
    error = refusal(Topic.REQUESTS, envelope(Topic.REQUESTS, {**DATA[Topic.REQUESTS], **change}))
    assert (error.code, error.request_id) == (code, "r-1")


def test_a_request_of_a_program_without_principal_is_anonymous() -> None:
    body = read(Topic.REQUESTS, envelope(Topic.REQUESTS)).body
    assert isinstance(body, PauseBatch)
    assert body.principal == Principal()


# ----------------------------------------------------------------------------------------- replay


def test_a_replay_is_read_as_where_it_was_first_read() -> None:
    raw = json.dumps(envelope(READY_TOPIC, event_id=...)).encode()
    letter = dead_letter(
        value=raw, key=None, first=RecordPosition(READY_TOPIC.value, 2, 17), code="ORC-FIELDS", reason="r"
    )
    assert read(Topic.REPLAY, letter.value, dict(letter.headers)) == read(READY_TOPIC, raw)


def test_a_replayed_inbox_record_is_itself_again() -> None:
    record = read(READY_TOPIC, envelope(READY_TOPIC))
    letter = dead_letter(
        value=inbox_outgoing(record).value,
        key=b"other",
        first=RecordPosition(READY_TOPIC.value, 2, 17),
        code="ORC-UNKNOWN-BATCH",
        reason="r",
        wrapped=True,
    )
    assert read(Topic.REPLAY, letter.value, dict(letter.headers)) == record


def test_a_replayed_inbox_record_of_a_newer_version_is_told_apart() -> None:
    record = replace(read(READY_TOPIC, envelope(READY_TOPIC)), writer=99, least_reader=99)
    headers = {"first_topic": b"x", "first_partition": b"0", "first_offset": b"0", "wrapped": b"1"}
    with pytest.raises(NewerRecord):
        read(Topic.REPLAY, inbox_outgoing(record).value, headers)


@pytest.mark.parametrize("topic", ["elsewhere", Topic.REPLAY.value, Topic.REGISTERED.value])
def test_a_replay_from_no_input_is_refused(topic: str) -> None:
    headers = {"first_topic": topic.encode(), "first_partition": b"0", "first_offset": b"0"}
    assert refusal(Topic.REPLAY, b"{}", headers).code == "ORC-REPLAY"


# --------------------------------------------------------------------- anything at all, on any topic

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
topics = st.sampled_from([topic for topic in ROUTER_INPUTS if topic is not Topic.REPLAY])


def spoil(draw: Callable[[Any], Any], node: Any) -> Any:
    """Exchange something in a document for anything."""
    if draw(st.integers(0, 5)) == 0 or not isinstance(node, dict | list) or not node:
        return draw(json_values)
    if isinstance(node, list):
        place = draw(st.integers(0, len(node) - 1))
        return [spoil(draw, value) if index == place else value for index, value in enumerate(node)]
    name = draw(st.sampled_from(sorted(node)))
    if draw(st.integers(0, 3)) == 0:
        return {key: value for key, value in node.items() if key != name}
    return {**node, name: spoil(draw, node[name])}


@settings(max_examples=600)
@given(st.data(), topics)
def test_whatever_comes_is_read_or_refused_and_what_is_read_can_be_written(data: st.DataObject, topic: Topic) -> None:
    document = spoil(data.draw, envelope(topic))
    try:
        record = normalise(topic, RecordPosition("t", 0, 1), json.dumps(document).encode(), {}, POLICY)
    except UnreadableRecord:
        return
    outgoing = inbox_outgoing(record)
    assert decode_inbox(outgoing.value or b"") == record


@given(st.binary(max_size=60), topics)
def test_garbage_is_refused(raw: bytes, topic: Topic) -> None:
    with pytest.raises(UnreadableRecord):
        read(topic, raw)


# -------------------------------------------------- defects of the original, by their number (docs/wire-contract.md)


def test_defect_20_the_kafka_key_plays_no_part_in_which_batch_it_is() -> None:
    record = read(READY_TOPIC, envelope(READY_TOPIC))
    assert record.batch_id == BATCH
    assert inbox_outgoing(record).key == BATCH.encode()


@pytest.mark.parametrize("topic", [Topic.OUTCOME, Topic.OUTCOME_SEED])
@pytest.mark.parametrize("event_type", [Topic.OUTCOME.value, Topic.OUTCOME_SEED.value])
def test_defect_34_both_spellings_of_the_outcome_topic_are_read(topic: Topic, event_type: str) -> None:
    assert isinstance(read(topic, envelope(topic, event_type=event_type)).body, PhaseConcluded)
    assert topic in ROUTER_INPUTS


@pytest.mark.parametrize(
    "status", ["completed_successfully", "completed_with_failures", "failed_critically", "cancelled"]
)
def test_defect_35_both_spellings_of_a_status_are_one(status: str) -> None:
    lower, upper = (
        read(Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "phase_status": spelling})).body
        for spelling in (status, status.upper())
    )
    assert lower == upper


def test_defect_36_the_phase_nlp_has_one_name() -> None:
    body = read(Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "phase_name": "nlp_metrics"})).body
    assert isinstance(body, PhaseConcluded)
    assert body.phase == "nlp"


def test_defect_37_a_bad_correlation_id_is_refused_before_anything_changes() -> None:
    for fields in ({"correlation_id": "not-a-uuid"}, {"data": {**OUTCOME, "correlation_id": "not-a-uuid"}}):
        assert refusal(Topic.OUTCOME, {**envelope(Topic.OUTCOME), **fields}).code == "ORC-CORRELATION-ID"


# -------------------------------------------------------- what peers name otherwise, leave out or send as null


@pytest.mark.parametrize("topic", list(DATA))
@pytest.mark.parametrize("event_type", ["batch.essays.ready", Topic.REGISTERED.value, "", "å\n"])
def test_the_topic_says_what_a_record_is_and_the_event_type_is_kept_as_information(
    topic: Topic, event_type: str
) -> None:
    found = read(topic, envelope(topic, event_type=event_type))
    assert found.body == read(topic, envelope(topic)).body
    assert found.origin.event_type == event_type


@pytest.mark.parametrize("given", [None, ...])
@pytest.mark.parametrize("field", ["event_type", "event_id", "event_timestamp", "correlation_id", "schema_version"])
def test_an_envelope_may_leave_out_what_is_information(field: str, given: object) -> None:
    document = {name: value for name, value in envelope(READY_TOPIC).items() if name != field}
    if given is None:
        document[field] = None
    assert isinstance(read(READY_TOPIC, document).body, EssaysReady)


@pytest.mark.parametrize(
    ("topic", "path"),
    [
        (Topic.OUTCOME, ("failed_essay_ids",)),
        (Topic.OUTCOME, ("correlation_id",)),
        (Topic.OUTCOME, ("attempt",)),
        (READY_TOPIC, ("validation_failures",)),
        (Topic.VALIDATION_ERRORS, ("failed_essays", 0, "essay_id")),
        (Topic.VALIDATION_ERRORS, ("failed_essays", 0, "file_name")),
        (Topic.VALIDATION_ERRORS, ("error_summary", "critical_failure")),
        (Topic.REQUESTS, ("body",)),
        (Topic.REQUESTS, ("principal",)),
        (Topic.REQUESTS, ("principal", "organisation")),
    ],
)
def test_null_and_absent_mean_the_same(topic: Topic, path: tuple[str | int, ...]) -> None:
    def changed(value: object) -> InboxRecord:
        data = json.loads(json.dumps(DATA[topic]))
        if path[:1] == ("principal",) and len(path) > 1:
            data["principal"] = {}
        inner = data
        for part in path[:-1]:
            inner = inner[part]
        inner.pop(path[-1], None)
        if value is None:
            inner[path[-1]] = None
        return read(topic, envelope(topic, data))

    assert changed(None) == changed(...)


def test_an_outcome_that_names_no_failures_has_none() -> None:
    body = read(Topic.OUTCOME, envelope(Topic.OUTCOME, {**OUTCOME, "failed_essay_ids": None})).body
    assert isinstance(body, PhaseConcluded)
    assert body.failed_essay_ids == ()


# ----------------------------------------------------------------------------------------------------------- ids

IDS: list[tuple[Topic, tuple[str | int, ...]]] = [
    *((topic, ("batch_id",)) for topic in DATA),
    (READY_TOPIC, ("ready_essays", 0, "essay_id")),
    (READY_TOPIC, ("ready_essays", 0, "text_storage_id")),
    (Topic.CONTENT_PROVISIONED, ("essays_for_processing", 0, "text_storage_id")),
    (Topic.OUTCOME, ("processed_essays", 0, "essay_id")),
    (Topic.OUTCOME, ("failed_essay_ids", 0)),
    (Topic.OUTCOME, ("phase_name",)),
    (Topic.VALIDATION_ERRORS, ("failed_essays", 0, "essay_id")),
    (Topic.REQUESTS, ("request_id",)),
    (Topic.REQUESTS, ("principal", "subject")),
    (Topic.REQUESTS, ("principal", "organisation")),
    (Topic.REQUESTS, ("principal", "scopes", 0)),
]


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1f", "\x7f", "\x85", "\x9f"])
@pytest.mark.parametrize(("topic", "path"), IDS)
def test_an_id_with_a_control_character_is_refused_by_its_field(
    topic: Topic, path: tuple[str | int, ...], character: str
) -> None:
    data = json.loads(json.dumps({**DATA[topic], "failed_essay_ids": ["e3"]}))
    data["principal"] = {"subject": "s", "organisation": "o", "scopes": ["s"]}
    inner = data
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = f"a{character}b"
    error = refusal(topic, envelope(topic, data))
    assert error.code == "ORC-FIELDS"
    assert ".".join(str(part) for part in path) in error.message
    assert "control characters" in error.message


@pytest.mark.parametrize(
    "batch_id", ["a/b", "..", ".", "%", "%2F", "?", "#", " ", "'\"", "\u00a0", "👩‍👩‍👧", "å\ue000"]
)
def test_any_other_character_can_stand_in_an_id(batch_id: str) -> None:
    assert read(READY_TOPIC, envelope(READY_TOPIC, {**READY, "batch_id": batch_id})).batch_id == batch_id


@pytest.mark.parametrize("batch_id", ["a\x00", "", "b" * 256])
def test_a_replayed_inbox_record_has_an_id_too(batch_id: str) -> None:
    record = replace(read(READY_TOPIC, envelope(READY_TOPIC)), batch_id=batch_id)
    headers = {"first_topic": b"x", "first_partition": b"0", "first_offset": b"0", "wrapped": b"1"}
    assert refusal(Topic.REPLAY, inbox_outgoing(record).value, headers).code == "ORC-FIELDS"


def test_a_request_of_very_many_values_is_refused_before_it_is_reckoned() -> None:
    body = {"padding": [1] * (Limits().json_values + 200)}
    error = refusal(Topic.REQUESTS, envelope(Topic.REQUESTS, {**DATA[Topic.REQUESTS], "body": body}))
    assert (error.code, error.request_id) == ("ORC-TOO-MANY-VALUES", "r-1")


def test_a_request_nested_very_deep_is_refused() -> None:
    body: dict[str, Any] = {}
    for _ in range(70):
        body = {"a": body}
    error = refusal(Topic.REQUESTS, envelope(Topic.REQUESTS, {**DATA[Topic.REQUESTS], "body": body}))
    assert (error.code, error.request_id) == ("ORC-REQUEST-BODY", "r-1")
