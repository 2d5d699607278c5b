from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from peers.options import ERAS
from peers.schema import SchemaSet

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


@pytest.mark.parametrize("era", ERAS)
def test_the_schemas_use_only_what_the_validator_checks(era: str) -> None:
    checked = {
        "$ref", "additionalProperties", "anyOf", "enum", "exclusiveMinimum", "format", "items", "maxLength",
        "maximum", "minItems", "minLength", "minimum", "properties", "propertyNames", "required", "type",
    }  # fmt: skip
    annotations = {"$defs", "default", "description", "title"}
    used = {keyword for schema in json.loads(schema_file(era)).values() for keyword in keywords(schema)}
    assert used <= checked | annotations


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 1, True),
        ({"type": "integer"}, 1, 1.5),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}),
        ({"propertyNames": {"enum": ["a"]}}, {"a": 1}, {"b": 1}),
        ({"exclusiveMinimum": 0}, 1, 0),
        ({"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"}, "a", 1),
        ({"type": "string", "format": "uuid"}, "0b352314-208c-5ed1-81ba-5ce3fbb9d912", "0b352314"),
        ({"type": "string", "format": "date-time"}, "2025-06-16T08:30:00.123456Z", "2025-06-16T08:30:00"),
        ({"type": "string", "format": "date-time"}, "2025-06-16T08:30:00+02:00", "2025-13-16T08:30:00Z"),
    ],
)
def test_formats_and_what_libraries_differ_in(schema: dict[str, Any], good: object, bad: object) -> None:
    model = SchemaSet({"Model": schema})
    assert model.faults("Model", good) == []
    assert model.faults("Model", bad) != []


def test_every_fault_names_its_place() -> None:
    model = SchemaSet({"Model": {"properties": {"a": {"items": {"type": "string"}}, "b": {"type": "null"}}}})
    assert model.faults("Model", {"a": ["x", 1], "b": 1}) == ["a.1: must be string", "b: must be null"]


def test_a_judged_message_stays_as_it_is() -> None:
    value: dict[str, Any] = {}
    assert SchemaSet({"Model": {"properties": {"a": {"default": 1}}}}).faults("Model", value) == []
    assert value == {}


def schema_file(era: str) -> str:
    return files("peers").joinpath("json_schema", f"{era}.json").read_text(encoding="utf-8")


def keywords(schema: Any) -> Iterator[str]:
    """Yield the keywords of a schema and of those inside it."""
    if isinstance(schema, bool):
        return
    for keyword, value in schema.items():
        yield keyword
        parts: Any = ()
        if keyword in {"properties", "$defs"}:
            parts = value.values()
        elif keyword == "anyOf":
            parts = value
        elif keyword in {"items", "additionalProperties", "propertyNames"}:
            parts = (value,)
        for part in parts:
            yield from keywords(part)
