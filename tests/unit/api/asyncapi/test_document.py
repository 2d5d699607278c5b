"""The AsyncAPI document: valid, complete, and true to the records that the product writes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from api.asyncapi.document import document, text_of
from api.asyncapi.messages import GENERIC_COMMAND, MESSAGES
from schemas.topics import Topic, TopicTable
from tests.golden.examples import outgoing_examples
from tests.unit.api.memory import world

ROOT = Path(__file__).parents[4]
SPECIFICATION = ROOT / "tests/data/asyncapi/3.0.0.json"
"""The schema of AsyncAPI 3.0.0 as AsyncAPI publishes it (npm: @asyncapi/specs, Apache-2.0)."""


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return json.loads(text_of(document(TopicTable())))  # type: ignore[no-any-return]


def message_of(made: dict[str, Any], name: str) -> dict[str, Any]:
    return made["components"]["messages"][name]  # type: ignore[no-any-return]


def check(made: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**schema, "components": made["components"]}).validate(value)


def test_it_is_valid(made: dict[str, Any]) -> None:
    Draft7Validator(json.loads(SPECIFICATION.read_text())).validate(made)


def test_every_topic_has_a_channel_under_its_name(made: dict[str, Any]) -> None:
    assert {name: channel["address"] for name, channel in made["channels"].items() if name != "PHASE_COMMAND"} == {
        topic.name: topic.value for topic in Topic
    }
    assert set(MESSAGES) == set(Topic)


def test_names_follow_the_prefix() -> None:
    channels = document(TopicTable(prefix="other"))["channels"]
    assert channels["STATUS"]["address"] == "other.batch.status.v1"
    assert channels["PHASE_COMMAND"]["address"] == "other.batch.phase.{phase}.command.v1"


def test_references_lead_somewhere(made: dict[str, Any]) -> None:
    for reference in _references(made):
        found: Any = made
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]


@pytest.mark.parametrize("name", [message.name for message in (*MESSAGES.values(), GENERIC_COMMAND)])
def test_the_example_of_a_message_fits_it(made: dict[str, Any], name: str) -> None:
    message = message_of(made, name)
    for example in message["examples"]:
        if "headers" in message:
            check(made, message["headers"], example["headers"])
        check(made, message["payload"], example.get("payload"))


GOLDEN = outgoing_examples()


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_record_that_is_written_fits_its_message(made: dict[str, Any], name: str) -> None:
    record = GOLDEN[name]
    described = MESSAGES[record.topic] if isinstance(record.topic, Topic) else GENERIC_COMMAND
    message = message_of(made, described.name)
    if "headers" in message:
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        check(made, message["headers"], headers)
        assert headers.keys() <= message["headers"]["properties"].keys(), "no header is left out"
    if record.value is not None and described.model is not None:
        check(made, message["payload"], msgspec.json.decode(record.value))


@pytest.mark.anyio
async def test_it_is_served() -> None:
    async with world() as api:
        answer = await api.client.get("/asyncapi.json")
        assert answer.status_code == 200
        assert answer.json()["asyncapi"] == "3.0.0"


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for each in value.values() for found in _references(each)]
    return []
