"""What becomes of one record, without Kafka: the real normalisation, and the edges of the size ladder."""

import json
from typing import Any

import pytest

from runtime.settings import Settings
from schemas import ids
from schemas.errors import ConfigurationError
from schemas.inbound.transform import RecordTransform
from schemas.internal.dead_letters import DeadLetter, parse_dead_letter
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.records import decode_inbox
from schemas.limits import RECORD_OVERHEAD_BYTES, Limits
from schemas.public.registration import RegistrationPolicy
from schemas.topics import Topic
from topology.router.transform import registration_policy

AT = RecordPosition("huleedu.els.batch.essays.ready.v1", 2, 77, 1_700_000_000_000)
LIMITS = Limits(input_bytes=60_000, inbox_bytes=60_000, state_bytes=70_000, dead_letter_bytes=70_000)
POLICY = registration_policy(Settings(_env_file=None))


def ready(essays: int = 2, **envelope: Any) -> bytes:
    names = [f"00000000-0000-4000-8000-{number:012d}" for number in range(essays)]
    data = {
        "event": "batch.essays.ready",
        "batch_id": "b-1",
        "ready_essays": [{"essay_id": name, "text_storage_id": f"text-{name}"} for name in names],
        "batch_entity": {"entity_id": "b-1", "entity_type": "batch"},
        "metadata": {"entity": {"entity_id": "b-1", "entity_type": "batch"}},
    }
    event = {
        "event_id": "6a2f41a3-c54c-4b1d-8a1d-0a4a3f6d1c11",
        "event_type": Topic.ESSAYS_READY.value,
        "event_timestamp": "2026-01-01T00:00:00Z",
        "source_service": "els",
        "data": data,
    }
    return json.dumps(event | envelope).encode()


def transform(limits: Limits = LIMITS) -> RecordTransform:
    policy = RegistrationPolicy(pipelines=POLICY.pipelines, limits=limits)
    return RecordTransform(policy, limits)


def letter(outgoing: OutgoingRecord) -> DeadLetter:
    assert outgoing.topic is Topic.DEAD_LETTERS
    return parse_dead_letter(outgoing.key, dict(outgoing.headers), outgoing.value)


def test_a_record_goes_to_the_inbox_under_its_batch_whatever_its_key() -> None:
    for key in (None, b"", b"another key"):
        outgoing = transform().apply(Topic.ESSAYS_READY, AT, key, ready(), {})
        assert (outgoing.topic, outgoing.key, outgoing.headers) == (Topic.INBOX, b"b-1", ())
        origin = decode_inbox(outgoing.value or b"").origin
        assert (origin.topic, origin.partition, origin.offset) == (AT.topic, 2, 77)


def test_the_same_record_always_gives_the_same_bytes() -> None:
    assert len({transform().apply(Topic.ESSAYS_READY, AT, None, ready(), {}) for _ in range(5)}) == 1


def test_a_record_above_the_input_limit_is_a_dead_letter() -> None:
    value = ready(540)
    assert LIMITS.input_bytes < len(value) < LIMITS.dead_letter_bytes - RECORD_OVERHEAD_BYTES
    found = letter(transform().apply(Topic.ESSAYS_READY, AT, b"k", value, {}))
    assert (found.code, found.value, found.key) == ("ORC-TOO-LARGE", value, b"k")


def test_a_record_whose_inbox_record_would_not_fit_is_a_dead_letter() -> None:
    value = ready(20)
    small = Limits(input_bytes=3_000, inbox_bytes=3_000, state_bytes=9_000, dead_letter_bytes=9_000)
    found = letter(transform(small).apply(Topic.ESSAYS_READY, AT, None, value, {}))
    assert (found.code, found.value) == ("ORC-TOO-LARGE", value)
    assert "inbox record has" in found.reason


def test_a_record_too_large_for_the_dead_letters_leaves_its_coordinates_there() -> None:
    found = letter(transform().apply(Topic.ESSAYS_READY, AT, b"k" * 80_000, b"x" * 80_000, {}))
    assert (found.value, found.key, found.first, found.code) == (None, None, AT, "ORC-TOO-LARGE")
    assert "only where it was first read" in found.reason


def test_what_goes_out_always_fits() -> None:
    for size in range(LIMITS.dead_letter_bytes - 4_000, LIMITS.dead_letter_bytes + 200, 100):
        outgoing = transform().apply(Topic.ESSAYS_READY, AT, None, b"x" * size, {})
        assert outgoing.size <= LIMITS.dead_letter_bytes - RECORD_OVERHEAD_BYTES


def test_a_fault_of_the_router_is_a_dead_letter_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> OutgoingRecord:
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr("schemas.inbound.transform.normalise", fails)
    found = letter(transform().apply(Topic.ESSAYS_READY, AT, None, ready(), {}))
    assert found.code == "ORC-ROUTER-FAULT"
    assert "nobody foresaw this" in found.reason
    assert "in fails" in found.traceback


def request(padding: str = "", **envelope: Any) -> bytes:
    body = {"expected_essay_count": 1, "course_code": "SV1", "user_id": "u", "padding": padding}
    data = {"request_id": "r-1", "kind": "register", "batch_id": "b-1", "principal": {}, "body": body}
    event = {"event_type": Topic.REQUESTS.value, "source_service": "client", "data": data}
    return json.dumps(event | envelope).encode()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (request(data={"request_id": "r-1", "kind": "pause", "batch_id": "a\x00"}), "ORC-FIELDS"),
        (request().replace(b"}}", b', "n": NaN}}'), "ORC-NOT-JSON"),
        (request("x" * 60_000), "ORC-TOO-LARGE"),
        (request(data={"request_id": "r-1"}), "ORC-FIELDS"),
    ],
)
def test_whoever_waits_for_a_request_that_is_a_dead_letter_is_told(value: bytes, code: str) -> None:
    at = RecordPosition(Topic.REQUESTS.value, 0, 1, AT.time_ms)
    found = letter(transform().apply(Topic.REQUESTS, at, None, value, {}))
    assert (found.code, found.request_id) == (code, "r-1")


def test_the_fault_of_the_router_on_a_request_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.inbound.transform.inbox_outgoing", lambda _: 1 // 0)
    at = RecordPosition(Topic.REQUESTS.value, 0, 1, AT.time_ms)
    found = letter(transform().apply(Topic.REQUESTS, at, None, request(), {}))
    assert (found.code, found.request_id) == ("ORC-ROUTER-FAULT", "r-1")


def test_a_replayed_record_of_a_newer_version_is_a_dead_letter_and_stops_nothing() -> None:
    newer = json.dumps({"writer": 99, "least_reader": 99, "batch_id": "b-1"}).encode()
    headers = {"first_topic": b"t", "first_partition": b"0", "first_offset": b"1", "wrapped": b"1"}
    outgoing = transform().apply(Topic.REPLAY, AT, None, newer, headers)
    assert outgoing.topic is Topic.DEAD_LETTERS
    assert outgoing.value == newer
    assert (letter(outgoing).code, letter(outgoing).wrapped) == ("ORC-REPLAY-NEWER", True)
    assert "reader of version 99" in letter(outgoing).reason


def test_a_replayed_record_of_an_older_format_is_a_dead_letter_and_stops_nothing() -> None:
    older = json.dumps({"writer": 1, "least_reader": 1, "batch_id": "b-1"}).encode()
    headers = {"first_topic": b"t", "first_partition": b"0", "first_offset": b"1", "wrapped": b"1"}
    outgoing = transform().apply(Topic.REPLAY, AT, None, older, headers)
    assert outgoing.topic is Topic.DEAD_LETTERS
    assert outgoing.value == older
    assert (letter(outgoing).code, letter(outgoing).wrapped) == ("ORC-OLDER-RECORD", True)


def test_a_replay_that_fails_again_keeps_its_first_place() -> None:
    headers = {"first_topic": b"t", "first_partition": b"3", "first_offset": b"9", "first_key": b"k", "wrapped": b"1"}
    found = letter(transform().apply(Topic.REPLAY, AT, b"other", b"no inbox record", headers))
    assert found.dead_letter_id == ids.dead_letter_id("t", 3, 9)
    assert (found.key, found.wrapped) == (b"k", True)


def test_a_stray_record_on_the_replay_topic_is_one_of_that_topic() -> None:
    found = letter(transform().apply(Topic.REPLAY, AT, b"k", ready(), {}))
    assert (found.first, found.key, found.wrapped) == (AT, b"k", False)


def test_phases_that_no_pipeline_has_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="dancing"):
        registration_policy(Settings(_env_file=None, default_phases=("dancing",)))
