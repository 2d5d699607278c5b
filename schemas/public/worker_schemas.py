"""JSON Schemas of what a worker reads and writes, made from the models; the committed files are held against them.

`python -m schemas.public.worker_schemas` writes the files after a field was added.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.inbound.models import Envelope
from schemas.inbound.worker_outcome import WorkerOutcomeData
from schemas.outbound import render
from schemas.outbound.worker_command import WorkerCommand

DIRECTORY = Path(__file__).parent / "json"
_DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def worker_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by the names of their files."""
    return {"phase-command.v1.json": _command(), "phase-outcome.v1.json": _outcome()}


def _command() -> dict[str, Any]:
    fields = [
        (field.name, WorkerCommand if field.name == "data" else field.type)
        for field in msgspec.structs.fields(render.Envelope)
    ]
    schema = msgspec.json.schema(msgspec.defstruct("PhaseCommand", fields))
    schema["$defs"]["PhaseCommand"]["description"] = "A record on the topic of a phase's command; its key is batch_id."
    return {**_DIALECT, **schema}


def _outcome() -> dict[str, Any]:
    schema = Envelope[WorkerOutcomeData].model_json_schema()
    schema["title"] = "PhaseOutcome"
    schema["description"] = "A record on the topic of the workers' outcomes; any key, best the batch_id."
    return {**_DIALECT, **schema}


def text_of(schema: dict[str, Any]) -> str:
    """Return a schema as its file has it."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    for name, schema in worker_schemas().items():
        (DIRECTORY / name).write_text(text_of(schema))
