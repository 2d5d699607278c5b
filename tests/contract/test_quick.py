"""The quick reading of peers' events finds what the models find, or leaves the record to them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import PHASES, BatchIds, Shape, Wire
from schemas.errors import UnreadableRecord
from schemas.ids import slot_ids
from schemas.inbound.normalise import read_by_models
from schemas.inbound.quick import PeerEvent, read_quickly
from schemas.internal.events import EssaysReady, PhaseConcluded
from schemas.limits import Limits
from schemas.topics import Topic
from tests.contract import strategies as some
from tests.contract.batches import POLICY
from tests.contract.eras import ERAS

ID = "aaaaaaaa-0000-4000-8000-000000000002"
ESSAY = {"essay_id": "e1", "text_storage_id": "t1"}
DATA: dict[str, Any] = {
    "batch_id": "b1",
    "phase_name": "spellcheck",
    "phase_status": "COMPLETED_SUCCESSFULLY",
    "processed_essays": [ESSAY],
}


def outcome(*, envelope: dict[str, Any] | None = None, **data: Any) -> bytes:
    return some.envelope("outcome", DATA | data, **(envelope or {}))


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def models_read(topic: Topic, value: bytes) -> PeerEvent | None:
    try:
        return read_by_models(topic, value, POLICY)
    except UnreadableRecord:
        return None


# ------------------------------------------------------------------------------------- what it takes, the models take


@given(some.ready, some.uuids, st.sampled_from(ERAS))
def test_a_ready_event_is_read_alike(event: EssaysReady, batch_id: str, era: str) -> None:
    value = some.envelope("ready", some.ready_data(event, batch_id, era))
    found = read_quickly(Topic.ESSAYS_READY, value, POLICY.limits)
    assert (found is None) == (b"\\" in value or b"\x7f" in value)
    assert found in (None, models_read(Topic.ESSAYS_READY, value))


@given(some.outcomes, some.uuids, st.sampled_from(ERAS), st.sampled_from([Topic.OUTCOME, Topic.OUTCOME_SEED]))
def test_an_outcome_is_read_alike(event: PhaseConcluded, batch_id: str, era: str, topic: Topic) -> None:
    value = some.envelope("outcome", some.outcome_data(event, batch_id, era))
    found = read_quickly(topic, value, POLICY.limits)
    assert (found is None) == (b"\\" in value or b"\x7f" in value)
    assert found in (None, models_read(topic, value))


@pytest.mark.parametrize("shape", ["seed", "head"])
@pytest.mark.parametrize("step", ["ready", *PHASES])
def test_the_events_of_the_benchmark_are_read_quickly(shape: Shape, step: str) -> None:
    wire, ids = Wire(shape, 40), BatchIds.numbered(1, "test")
    slots = slot_ids(ids.batch_id, 1, 40)
    value = wire.ready(ids, slots) if step == "ready" else wire.outcome(ids, step, slots)
    found = read_quickly(wire.topics[step], value, POLICY.limits)
    assert found is not None
    assert found == models_read(wire.topics[step], value)


TAKEN = {
    "plain": outcome(),
    "without ids and time": outcome(envelope=dict.fromkeys(("event_id", "event_timestamp", "correlation_id"))),
    "with an id of its own": outcome(correlation_id=ID),
    "milliseconds": outcome(envelope={"event_timestamp": "2025-06-16T08:30:00.123Z"}),
    "without a zone": outcome(envelope={"event_timestamp": "2025-06-16T08:30:00"}),
    "another zone": outcome(envelope={"event_timestamp": "2025-06-16T08:30:00.999999+05:30"}),
    "null type": outcome().replace(b'"event_type": "outcome"', b'"event_type": null'),
    "null failures": outcome(failed_essay_ids=None),
    "an attempt": outcome(attempt=2),
    "metrics": outcome(processed_essays=[ESSAY | {"spellcheck_metrics": {"a": 0.1, "b": 2**70, "c": [None, True]}}]),
    "null metrics": outcome(processed_essays=[ESSAY | {"spellcheck_metrics": None}]),
    "unknown fields": outcome(envelope={"more": {"x": 1}}, other=[1, 2]),
    "a repeated field": outcome().replace(b'"phase_name"', b'"phase_name": "first", "phase_name"'),
}


@pytest.mark.parametrize("value", TAKEN.values(), ids=TAKEN)
def test_what_peers_send_is_read_quickly_and_alike(value: bytes) -> None:
    found = read_quickly(Topic.OUTCOME, value, POLICY.limits)
    assert found is not None
    assert found == models_read(Topic.OUTCOME, value)


# ------------------------------------------------------------------------------------------ what is left to the models

LEFT = {
    "an escape": outcome(batch_id='a "quoted" id'),
    "a control character": outcome(batch_id="line\nbreak"),
    "DEL": outcome(batch_id="del\x7f"),
    "beyond ASCII": json.dumps(json.loads(outcome(batch_id="é")), ensure_ascii=False).encode(),
    "a C1 control character": json.dumps(json.loads(outcome(batch_id="\x85")), ensure_ascii=False).encode(),
    "an id in upper case": outcome(correlation_id=ID.upper()),
    "an id without dashes": outcome(envelope={"event_id": ID.replace("-", "")}),
    "no id": outcome(envelope={"correlation_id": "random"}),
    "an empty id": outcome(correlation_id=""),
    "a time as a number": outcome(envelope={"event_timestamp": 1_750_000_000}),
    "a time that rounds": outcome(envelope={"event_timestamp": "2025-06-16T08:30:00.1239999Z"}),
    "a time that is none": outcome(envelope={"event_timestamp": "2025-13-16T08:30:00Z"}),
    "a number as text": outcome(attempt="2"),
    "attempt 0": outcome(attempt=0),
    "no batch": outcome(batch_id=""),
    "a long batch id": outcome(batch_id="b" * 256),
    "no phase": outcome(phase_name=""),
    "no such status": outcome(phase_status="done"),
    "no number": outcome(processed_essays=[ESSAY | {"spellcheck_metrics": {"a": float("nan")}}]),
    "no double": outcome().replace(b'"t1"', b'"t1", "spellcheck_metrics": {"a": 1e999}'),
    "deep metrics": outcome(processed_essays=[ESSAY | {"spellcheck_metrics": nested(300)}]),
    "deep fields": outcome(other=nested(300)),
    "no JSON": outcome()[:-1],
    "no object": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("value", LEFT.values(), ids=LEFT)
def test_what_is_out_of_the_ordinary_is_left_to_the_models(value: bytes) -> None:
    assert read_quickly(Topic.OUTCOME, value, POLICY.limits) is None


def test_too_many_essays_are_left_to_the_models() -> None:
    few = Limits(essays=1)
    assert read_quickly(Topic.OUTCOME, outcome(processed_essays=[ESSAY] * 2), few) is None
    assert read_quickly(Topic.OUTCOME, outcome(failed_essay_ids=["a", "b"]), few) is None
    assert read_quickly(Topic.OUTCOME, outcome(failed_essay_ids=["a"]), few) is not None


@pytest.mark.parametrize("topic", [Topic.REQUESTS, Topic.CONTENT_PROVISIONED, Topic.VALIDATION_ERRORS])
def test_other_topics_are_left_to_the_models(topic: Topic) -> None:
    assert read_quickly(topic, outcome(), POLICY.limits) is None
