"""The routes that explain a batch, as the OpenAPI document describes them."""

from typing import Any

from api.openapi import problems
from api.openapi.explain_examples import examples
from api.openapi.problems import problem_responses
from api.openapi.schemas import COUNT, DECISION, TEXT, TEXT_OR_NULL, TIME, Schema, record, ref
from schemas.internal.enums import Disposition
from schemas.public.next_event import NextEventBody

Operation = tuple[tuple[str, ...], dict[str, Any]]
_CALLER = ("X-Correlation-ID", "X-User-ID", "X-Org-ID")
_READ = ("If-None-Match", *_CALLER)
_PLACE: Schema = {"type": "integer", "minimum": 0}
_PLACE_OR_NULL: Schema = {"type": ["integer", "null"]}
_CHANGES: Schema = {
    "type": "array",
    "items": record({"path": TEXT, "before": {}, "after": {}}),
    "description": "Values that differ, by their path in the status; null where there is none.",
}
_FILE = """default = "default"

[[pipelines]]
name = "default"
version = 2

[[pipelines.phases]]
name = "spellcheck"
on_failure = "hold"
"""
_COMMAND = record(
    {
        "phase": {**TEXT_OR_NULL, "description": "Null for the matching of students."},
        "attempt": COUNT,
        "essays": COUNT,
        "answered": {"type": "boolean", "description": "Whether an outcome that answers it is on record."},
    }
)
_COMMANDS: Schema = {"type": "array", "items": ref("PossibleCommand")}
_TOLD = record(
    {
        "disposition": {"enum": [each.value for each in Disposition]},
        "reason": {"type": "object"},
        "sentence": TEXT,
        "status": {**TEXT_OR_NULL, "description": "Status of the batch after it."},
        "changes": {"type": "array", "items": record({"phase": TEXT_OR_NULL, "from": TEXT_OR_NULL, "to": TEXT})},
        "commands": _COMMANDS,
    }
)
_TWO_STATUSES = record({"before": TEXT_OR_NULL, "after": TEXT_OR_NULL})
_LINKS: Schema = {"type": "object", "additionalProperties": TEXT}


def schemas() -> dict[str, Schema]:
    """Return the schemas of bodies, by name."""
    return {
        "PossibleCommand": _COMMAND,
        "PossibleDecision": _TOLD,
        "NextEventBody": NextEventBody.model_json_schema(),
        "NextDecision": record(
            {
                "batch_id": TEXT,
                "version": {**_PLACE, "description": "Present version of the batch; also the ETag."},
                "event": TEXT,
                "time": {**TIME, "description": "Now, or when the deadline is due."},
                "disposition": {"enum": [each.value for each in Disposition]},
                "reason": {"type": "object"},
                "sentence": TEXT,
                "status": _TWO_STATUSES,
                "diff": _CHANGES,
                "commands": {
                    "type": "array",
                    "items": record({"phase": TEXT_OR_NULL, "attempt": COUNT, "essays": COUNT}),
                },
            },
            description="What would be decided on an event that has not happened. Nothing was written.",
        ),
        "BatchDiff": record({"batch_id": TEXT, "from": _PLACE, "to": _PLACE, "changes": _CHANGES}),
        "ExplainedDecision": record(
            DECISION
            | {
                "batch_id": TEXT,
                "body": {"type": ["object", "null"], "description": "The event; null for one that was quarantined."},
                "status": _TWO_STATUSES,
                "diff": _CHANGES,
                "differences": {
                    "type": "array",
                    "items": ref("Difference"),
                    "description": "Where the event is decided otherwise now than it was published.",
                },
                "previous": _PLACE_OR_NULL,
                "next": _PLACE_OR_NULL,
            }
        ),
        "WhatIf": record(
            {
                "batch_id": TEXT,
                "sentence": TEXT,
                "pipeline": record({"name": TEXT, "version": {"type": "integer"}}),
                "requested_phases": {"type": "array", "items": TEXT},
                "records": {**COUNT, "description": "Number of records that were decided."},
                "same_until": {**_PLACE_OR_NULL, "description": "Position of the last record before a difference."},
                "decisions": {"type": "array", "items": _different()},
                "new_commands": _COMMANDS,
                "dropped_commands": _COMMANDS,
                "status": record({"recorded": TEXT_OR_NULL, "instead": TEXT_OR_NULL}),
                "open": {
                    "type": "boolean",
                    "description": "Whether the rest is not known: a new command has no recorded outcome.",
                },
            }
        ),
    }


def _different() -> Schema:
    return record(
        {
            "position": _PLACE_OR_NULL,
            "time": TIME,
            "event": TEXT,
            "inferred": {
                "type": "boolean",
                "description": "A deadline that the other definition would have reached; it is on no topic.",
            },
            "recorded": {"anyOf": [ref("PossibleDecision"), {"type": "null"}]},
            "instead": ref("PossibleDecision"),
            "links": _LINKS,
        },
        description="A record on which the two differ.",
    )


def operations() -> dict[tuple[str, str], Operation]:
    """Return the request headers and the description of each operation."""
    found: dict[tuple[str, str], Operation] = {}
    for resource, told, schema in (
        ("diff", "What differs between the two states.", "BatchDiff"),
        ("decisions", "The decision, and what it changed.", "ExplainedDecision"),
    ):
        for path in _paths(resource):
            found[path, "get"] = (_READ, _kept(path, told, schema))
    for path in _paths("fixture"):
        found[path, "get"] = (_CALLER, _file(path))
    for path in _paths("imagine"):
        found[path, "post"] = (_CALLER, _imagine(path))
    for path in _paths("what-if"):
        found[path, "post"] = (_CALLER, _what_if(path))
    return found


def _paths(resource: str) -> tuple[str, str]:
    by_path = f"/v1/batches/{{batch_id}}/{resource}"
    return (f"{by_path}/{{version}}" if resource == "decisions" else by_path), f"/v1/batches/{resource}"


def _kept(path: str, description: str, schema: str) -> dict[str, Any]:
    headers = _headers("ETag", "Cache-Control")
    return {
        "responses": {
            "200": _json(description, schema, headers),
            "304": {"description": "The caller has this answer: If-None-Match names its ETag.", "headers": headers},
            **problem_responses(problems.EXPLAIN, path),
        }
    }


def _file(path: str) -> dict[str, Any]:
    answer = {
        "description": "A file that tests/corpus replays; its first line says how.",
        "headers": _headers("Content-Disposition", "Cache-Control"),
        "content": {"application/jsonl": {"schema": TEXT}},
    }
    return {"responses": {"200": answer, **problem_responses(problems.REPLAY, path)}}


def _what_if(path: str) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "description": "A pipelines file (docs/pipelines.md).",
            "content": {"text/plain": {"schema": TEXT, "examples": {"held": {"value": _FILE}}}},
        },
        "responses": {
            "200": _json("What differs under that definition.", "WhatIf", _headers()),
            **problem_responses(problems.WHAT_IF, path),
        },
    }


def _imagine(path: str) -> dict[str, Any]:
    outcome = {"event": "outcome", "phase": "spellcheck", "failed": 3}
    content = {"schema": ref("NextEventBody"), "examples": {"outcome": {"value": outcome}}}
    return {
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": _json("What would be decided.", "NextDecision", _headers("ETag")),
            **problem_responses(problems.IMAGINE, path),
        },
    }


def _json(description: str, schema: str, headers: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": ref(schema), "example": examples()[schema]}}
    return {"description": description, "headers": headers, "content": content}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Correlation-ID", *names)}
