"""Bulk operations in the OpenAPI document."""

from typing import Any

from api.openapi import problems
from api.openapi.problems import problem_responses
from api.openapi.schemas import COUNT, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, Schema, record, ref
from schemas.errors import Code
from schemas.internal.operations import OperationAction, OperationState
from schemas.public.operations import OperationBody

_ACTION: Schema = {"enum": [action.value for action in OperationAction]}
_TALLIES: Schema = {
    "type": "array",
    "items": record({"disposition": TEXT, "reason": TEXT, "count": COUNT}),
    "description": "How many items had each result.",
}
_REFUSED: Schema = {
    "type": "array",
    "items": record({"id": TEXT, "disposition": TEXT, "reason": TEXT}),
    "description": "The first items to which the action was not applied.",
}
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_OPERATION: dict[str, Schema] = {
    "operation_id": {"type": "string", "format": "uuid", "description": "Correlation id of its requests, too."},
    "action": _ACTION,
    "state": {"enum": [state.value for state in OperationState]},
    "stopping": {"type": "boolean", "description": "Somebody has asked for its end."},
    "reason": TEXT,
    "by": record({"subject": TEXT, "organisation": TEXT}),
    "filter": TEXT_OR_NULL,
    "ids": {**_COUNT_OR_NULL, "description": "How many items were named one by one."},
    "phase": TEXT_OR_NULL,
    "essays": TEXT_OR_NULL,
    "created_at": TIME,
    "updated_at": TIME,
    "ended_at": TIME_OR_NULL,
    "expected": {**COUNT, "description": "Items that fitted when it began."},
    "expected_more": {"type": "boolean", "description": "There were more than were counted."},
    "done": {**COUNT, "description": "Items that were decided on."},
    "applied": COUNT,
    "not_applied": COUNT,
    "results": _TALLIES,
    "refused": _REFUSED,
    "waiting_for": {**TEXT_OR_NULL, "description": "Why it cannot go on at the moment."},
    "stopped_by": TEXT_OR_NULL,
    "failure": {
        "anyOf": [record({"code": TEXT, "detail": TEXT}), {"type": "null"}],
        "description": "What has ended it, where it failed.",
    },
    "links": {"type": "object", "additionalProperties": TEXT},
}
_DRY_RUN: dict[str, Schema] = {
    "dry_run": {"const": True},
    "action": _ACTION,
    "fits": {**COUNT, "description": "Items that fit now."},
    "fits_more": {"type": "boolean", "description": "There are more than were counted."},
    "sampled": {**COUNT, "description": "Items that were decided in their present state."},
    "sentence": TEXT,
    "results": _TALLIES,
    "refused": _REFUSED,
}
_EXAMPLES = {
    "retry": {
        "value": {
            "action": "retry",
            "filter": {"status": "failed_critically", "since": "1h"},
            "phase": "cj_assessment",
            "essays": "failed",
            "reason": "CJ is mended",
            "dry_run": True,
        }
    },
    "named": {"value": {"action": "cancel", "ids": [problems.BATCH_ID], "reason": "registered by mistake"}},
}


def schemas() -> dict[str, Schema]:
    """Return the schemas of bodies by name."""
    body = OperationBody.model_json_schema(ref_template="#/components/schemas/{model}")
    return {
        "BeginOperation": body,
        "Operation": record(_OPERATION),
        "OperationDryRun": record(_DRY_RUN),
        "Operations": record({"operations": {"type": "array", "items": ref("Operation")}, "total": COUNT}),
    }


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the description of each operation, by path and method."""
    base, one = "/v1/operations", "/v1/operations/{operation_id}"
    content = {"application/json": {"schema": ref("BeginOperation"), "examples": _EXAMPLES}}
    return {
        (base, "post"): {
            "requestBody": {"required": True, "content": content},
            "responses": {
                "200": _told("What would come of it; nothing was begun.", "OperationDryRun"),
                "202": _told("It is durable, and goes on by itself.", "Operation", "Location"),
                **problem_responses(problems.BEGIN_OPERATION, base),
            },
        },
        (base, "get"): _read(base, "Operations", problems.OPERATIONS),
        (one, "get"): _read(one, "Operation", problems.OPERATION),
        (f"{one}/stop", "post"): _read(f"{one}/stop", "Operation", (*problems.OPERATION, Code.BROKER)),
    }


def _read(path: str, schema: str, codes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "responses": {"200": _told("The answer; see docs/operations.md.", schema), **problem_responses(codes, path)}
    }


def _told(description: str, schema: str, *headers: str) -> dict[str, Any]:
    names = ("X-Correlation-ID", "Cache-Control", *headers)
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {"application/json": {"schema": ref(schema)}},
    }
