"""Ids in what arrives: any text without control characters."""

import json

import pytest
from msgspec.structs import replace

from schemas.internal.records import inbox_outgoing
from schemas.topics import Topic
from tests.unit.schemas.inbound.reading import (
    DATA,
    READY,
    READY_TOPIC,
    envelope,
    read,
    refusal,
)

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
