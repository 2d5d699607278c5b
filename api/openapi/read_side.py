"""The routes that read batches and the system, as the OpenAPI document describes them.

Bodies that are structs are described from these; a batch in a list is a status with other members.
"""

from typing import Any

import msgspec

from api.openapi import problems
from api.openapi.problems import BATCH_ID, problem_responses
from api.openapi.read_examples import examples
from api.openapi.schemas import COUNT, TEXT_OR_NULL, TIME_OR_NULL, Schema, record, ref
from api.openapi.schemas import schemas as base_schemas
from api.queries.filters import DUE, FLAGS, LONGEST_VALUE, SINCE, TEXTS, TIMES
from api.routes.batch_response import ONLY_IN_ONE
from api.routes.system_bodies import MODELS
from api.routes.why_response import WhyBody
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.text import NO_CONTROL_CHARACTERS
from state.projection import StatusCounts

_REF = "#/components/schemas/{name}"
FORGOTTEN = "/v1/system/processes/{kind}/{instance}"
_READ: tuple[str, ...] = ("If-None-Match", "X-Correlation-ID", "X-User-ID", "X-Org-ID")
_PATHS: Schema = {"type": "object", "additionalProperties": {"type": "string"}, "description": "Paths by name."}
_OPEN: Schema = {**COUNT, "description": "Open dead letters of the batch."}
_TOLD = {
    "phase": "Batches that have this phase.",
    "owner": 'Subject of who registered the batch; "" for an empty one.',
    "organisation": "Organisation that the registration names.",
    "user": "User that the registration names.",
    "course": "Course code as the client gave it.",
    "pipeline": "Name of the pipeline definition.",
    "stalled": "Whether a phase takes longer than it should.",
    "held": "Whether a phase waits for a person.",
    "paused": "Whether the batch is paused.",
    "ended": "Whether the batch has ended.",
    "attention": "Whether it needs a person: a chain break, an open dead letter, held, stalled, a deadline missed, "
    "or failed within the last 24 hours.",
    "created_from": "Registered at this time or later.",
    "created_before": "Registered before this time.",
    "updated_from": "Changed at this time or later.",
    "updated_before": "Last changed before this time.",
    DUE: "With a deadline before this time; a duration counts from now on.",
    SINCE: "The same as updated_from: `since=24h`.",
}
_NAME: Schema = {"type": "string", "maxLength": LONGEST_VALUE, "pattern": NO_CONTROL_CHARACTERS}
_FLAG: Schema = {"type": "string", "enum": ["yes", "no", "true", "false", "1", "0", "on", "off", ""]}
_MOMENT: Schema = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"const": ""},
        {"type": "string", "pattern": "^[0-9]{1,5}[smhdw]$"},
    ]
}


def schemas(max_essays: int) -> dict[str, Schema]:
    """Return the schemas of bodies, by name."""
    _, found = msgspec.json.schema_components((*MODELS, WhyBody, StatusCounts), ref_template=_REF)
    status: dict[str, Schema] = base_schemas(max_essays)["BatchStatus"]["properties"]
    more = {"why": ref("WhyBody"), "links": _PATHS}
    listed = {name: schema for name, schema in status.items() if name not in ONLY_IN_ONE}
    return found | {
        "Batch": record(
            {
                **status,
                **more,
                "open_dead_letters": {**_OPEN, "type": ["integer", "null"]},
                "dead_letters": {
                    "type": ["array", "null"],
                    "items": {"type": "object"},
                    "description": "The first open ones; null for a caller without dead-letters:read.",
                },
            },
            description="Everything known of a batch.",
        ),
        "ListedBatch": record({**listed, **more, "open_dead_letters": _OPEN}, description="A batch in a list."),
        "Explained": record(
            {
                "batch_id": {"type": "string"},
                "version": COUNT,
                "status": status["status"],
                **more,
            },
            description="Why a batch is where it is.",
        ),
        "BatchList": record(
            {
                "batches": {"type": "array", "items": ref("ListedBatch")},
                "next_cursor": TEXT_OR_NULL,
                "as_of": {**TIME_OR_NULL, "description": "Newest append time that the list reflects."},
                "stale": {**TEXT_OR_NULL, "description": "Why the list is an old one; null if it was read now."},
                "counts": ref("StatusCounts"),
            },
            optional=("counts",),
        ),
    }


def operations() -> dict[tuple[str, str], tuple[tuple[str, ...], dict[str, Any]]]:
    """Return the request headers and the description of each operation."""
    batch = ("/v1/batches/{batch_id}", "/v1/batch")
    told: dict[str, tuple[str, tuple[str, ...]]] = {
        "/v1/batches": ("BatchList", problems.BATCH_LIST),
        **dict.fromkeys(batch, ("Batch", problems.BATCH)),
        **dict.fromkeys(("/v1/batches/{batch_id}/why", "/v1/batches/why"), ("Explained", problems.STATUS)),
        "/v1/stats": ("StatsBody", problems.NUMBERS),
        "/v1/system": ("System", problems.SYSTEM),
        "/v1/pipelines": ("PipelineList", problems.NUMBERS),
        "/v1/pipelines/{name}": ("Pipeline", problems.ONE_PIPELINE),
    }
    found: dict[tuple[str, str], tuple[tuple[str, ...], dict[str, Any]]] = {
        (path, "get"): (_READ, _read(path, schema, codes)) for path, (schema, codes) in told.items()
    }
    found["/v1/batches", "get"][1]["parameters"] = filter_parameters()
    for path in batch:
        answer = found[path, "get"][1]["responses"]["200"]
        answer["description"] = "Everything known of the batch; with `at`, its status as it was at that version."
        answer["content"]["application/json"]["schema"] = {"anyOf": [ref("Batch"), ref("BatchStatus")]}
    found[FORGOTTEN, "delete"] = (_READ[1:], _forget())
    for path in ("/go/{anything}", "/go"):
        found[path, "get"] = (_READ[1:], _redirect(path))
    return found


def filter_parameters() -> list[Schema]:
    """Return the query parameters of a filter of batches."""
    words = {"status": BatchStatus, "phase_status": PhaseStatus}
    found = []
    for name, enumeration in words.items():
        word: Schema = {"type": "string", "enum": [*(each.value for each in enumeration), ""]}
        schema = {"type": "array", "items": word} if name == "status" else word
        found.append(_query(name, "Any of these." if name == "status" else "Status of `phase`, or of any.", schema))
    found += [_query(name, _TOLD[name], _NAME) for name in TEXTS]
    found += [_query(name, _TOLD[name], _FLAG) for name in FLAGS]
    found += [_query(name, _TOLD[name], _MOMENT) for name in (*TIMES, SINCE)]
    return found


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _read(path: str, schema: str, codes: tuple[str, ...]) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Correlation-ID", "ETag", "Cache-Control")}
    return {
        "responses": {
            "200": {
                "description": "The answer; see docs/http.md.",
                "headers": headers,
                "content": {"application/json": {"schema": ref(schema), "example": examples()[schema]}},
            },
            "304": {"description": "The caller has this answer: If-None-Match names its ETag.", "headers": headers},
            **problem_responses(codes, path),
        }
    }


def _forget() -> dict[str, Any]:
    headers = {"X-Correlation-ID": {"$ref": "#/components/headers/X-Correlation-ID"}}
    return {
        "responses": {
            "204": {"description": "It is named nowhere any more, until it reports again.", "headers": headers},
            **problem_responses(problems.FORGET_PROCESS, FORGOTTEN),
        }
    }


def _redirect(path: str) -> dict[str, Any]:
    location = {"description": "Page or resource.", "schema": {"type": "string"}, "example": f"/v1/batches/{BATCH_ID}"}
    headers = {
        "X-Correlation-ID": {"$ref": "#/components/headers/X-Correlation-ID"},
        "Location": location,
        "Cache-Control": {"$ref": "#/components/headers/Cache-Control"},
    }
    return {
        "responses": {
            "303": {"description": "To what the id stands for.", "headers": headers},
            **problem_responses(problems.GO, path),
        }
    }
