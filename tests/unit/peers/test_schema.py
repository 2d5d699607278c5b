from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peers.options import ERAS
from peers.schema import SchemaSet, UnknownKeywordError, compile_schema

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
SEED_TOPIC_FILES = (
    "batch_essays_registered",
    "spellcheck_initiate_command",
    "cj_assessment_initiate_command",
    "batch_essays_ready",
    "els_batch_phase_outcome",
)


def samples(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return loaded


def faults(schema: dict[str, Any], value: object) -> list[str]:
    found: list[str] = []
    compile_schema(schema)(value, "", found)
    return found


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", SEED_TOPIC_FILES)
def test_finds_each_sample_as_valid_as_the_original_models_did(name: str, era: str) -> None:
    schemas, file = SchemaSet.of_era(era), samples(name)
    judged = [event for event in file["events"] if isinstance(event.get("value"), dict)]
    assert len(judged) >= 12
    for event in judged:
        value = event["value"]
        found = schemas.faults("EventEnvelope", value) + schemas.faults(file["data_model"], value.get("data"))
        assert (found == []) == (event["model_valid"][era] == "yes"), (event["name"], found)


def test_agrees_with_the_samples_of_the_later_topics() -> None:
    schemas = SchemaSet.of_era("head")
    judged = [event for event in samples("later_topics_head")["events"] if event["data_model"] in schemas]
    assert len(judged) >= 7
    for event in judged:
        found = schemas.faults(event["data_model"], event["value"]["data"])
        # Two prompts at once is a rule between fields, which the schema files do not hold.
        valid = event["model_valid_head"] == "yes" or event["name"] == "client_request_two_prompts_invalid"
        assert (found == []) == valid, (event["name"], found)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "x"},
        {"oneOf": []},
        {"properties": {"a": {"items": {"uniqueItems": True}}}},
        {"type": "decimal"},
        {"type": "string", "format": "email"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.org/schema"},
    ],
)
def test_refuses_a_schema_that_it_would_not_fully_check(schema: dict[str, Any]) -> None:
    with pytest.raises(UnknownKeywordError):
        compile_schema(schema)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string"}, "a", 1),
        ({"type": "integer"}, 1, True),
        ({"type": "integer"}, 1, 1.5),
        ({"type": "number"}, 1.5, False),
        ({"type": "boolean"}, False, 0),
        ({"type": "object"}, {}, []),
        ({"type": "array"}, [], {}),
        ({"type": "null"}, None, ""),
        ({"enum": ["a"]}, "a", "b"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
        ({"required": ["a"]}, {"a": None}, {"b": None}),
        ({"properties": {"a": {"type": "string"}}}, {"b": 1}, {"a": 1}),
        ({"items": {"type": "string"}}, ["a"], ["a", 1]),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}),
        ({"additionalProperties": {"type": "string"}}, {"b": "x"}, {"b": 1}),
        ({"propertyNames": {"enum": ["a"]}}, {"a": 1}, {"b": 1}),
        ({"minLength": 2}, "ab", "a"),
        ({"maxLength": 2}, "ab", "abc"),
        ({"minimum": 0}, 0, -1),
        ({"maximum": 2}, 2, 2.1),
        ({"exclusiveMinimum": 0}, 1, 0),
        ({"minItems": 1}, [1], []),
        ({"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"}, "a", 1),
        ({"type": "string", "format": "uuid"}, "0b352314-208c-5ed1-81ba-5ce3fbb9d912", "0b352314"),
        ({"type": "string", "format": "date-time"}, "2025-06-16T08:30:00.123456Z", "2025-06-16T08:30:00"),
        ({"type": "string", "format": "date-time"}, "2025-06-16T08:30:00+02:00", "2025-13-16T08:30:00Z"),
    ],
)
def test_each_keyword_takes_the_good_and_finds_the_bad(schema: dict[str, Any], good: object, bad: object) -> None:
    assert faults(schema, good) == []
    assert faults(schema, bad) != []


def test_a_fault_names_its_place() -> None:
    schema = {"properties": {"a": {"items": {"type": "string"}}}}
    assert faults(schema, {"a": ["x", 1]}) == ["a.1: is not of type string"]
