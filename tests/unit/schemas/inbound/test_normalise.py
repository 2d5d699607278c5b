"""What arrives on the input topics becomes an inbox record, or is refused with a code and the next step."""

import json
from collections.abc import Callable
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
    EssaysReady,
)
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import decode_inbox, inbox_outgoing
from schemas.limits import Limits
from schemas.topics import ROUTER_INPUTS, Topic
from tests.unit.schemas.inbound.reading import (
    BATCH,
    DATA,
    OUTCOME,
    POLICY,
    READY,
    READY_TOPIC,
    REFS,
    envelope,
    read,
    refusal,
)

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
        envelope(READY_TOPIC, {**READY, "ready_essays": [{**REFS[0], "essay_id": f"e{n}"} for n in range(5_001)]}),
        "ORC-TOO-MANY-ESSAYS",
    ),
    (
        "too many failures",
        Topic.OUTCOME,
        envelope(Topic.OUTCOME, {**OUTCOME, "failed_essay_ids": [f"e{n}" for n in range(5_001)]}),
        "ORC-TOO-MANY-ESSAYS",
    ),
    ("too large", READY_TOPIC, b" " * (Limits().input_bytes + 1), "ORC-TOO-LARGE"),
    ("replay of nothing", Topic.REPLAY, b"{}", "ORC-REPLAY"),
]


@pytest.mark.parametrize(("topic", "value", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_it_is_refused_with_its_code(topic: Topic, value: bytes | dict[str, Any] | None, code: str) -> None:
    assert refusal(topic, value).code == code


def test_a_refusal_names_the_field_and_not_the_data() -> None:
    error = refusal(READY_TOPIC, envelope(READY_TOPIC, {"batch_id": BATCH, "ready_essays": ["secret words"]}))
    assert "data.ready_essays.0" in error.message
    assert "secret words" not in error.message


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


@pytest.mark.slow
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


def test_defect_20_the_kafka_key_plays_no_part_in_which_batch_it_is() -> None:
    record = read(READY_TOPIC, envelope(READY_TOPIC))
    assert record.batch_id == BATCH
    assert inbox_outgoing(record).key == BATCH.encode()


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
