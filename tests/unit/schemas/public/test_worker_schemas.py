"""The committed JSON Schemas are those of the models, and say what the models take."""

import json
from typing import Any

import fastjsonschema
import pytest

from schemas.outbound.render import render
from schemas.public.worker_schemas import DIRECTORY, text_of, worker_schemas
from schemas.topics import Topic, TopicTable
from tests.unit.schemas.inbound.reading import DATA, envelope
from tests.unit.schemas.outbound.test_worker_command import COMMAND

OUTCOME = Topic.WORKER_OUTCOME


@pytest.mark.parametrize("name", worker_schemas())
def test_the_committed_schema_is_that_of_the_model(name: str) -> None:
    assert (DIRECTORY / name).read_text() == text_of(worker_schemas()[name]), "python -m schemas.public.worker_schemas"


def test_no_other_schema_is_committed() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == set(worker_schemas())


def validate(name: str, document: Any) -> None:
    # The validator knows drafts up to 7, and what the schemas say means the same there.
    schema = {key: value for key, value in worker_schemas()[name].items() if key != "$schema"}
    fastjsonschema.validate(schema, document)


def test_a_command_fits_its_schema() -> None:
    validate("phase-command.v1.json", json.loads(render(COMMAND, TopicTable()).value or b""))


def test_an_outcome_that_is_taken_fits_its_schema() -> None:
    validate("phase-outcome.v1.json", envelope(OUTCOME))


@pytest.mark.parametrize("change", [{"attempt": 0}, {"status": "ended"}, {"essays": [{}]}])
def test_an_outcome_that_is_refused_does_not(change: dict[str, Any]) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        validate("phase-outcome.v1.json", envelope(OUTCOME, {**DATA[OUTCOME], **change}))
