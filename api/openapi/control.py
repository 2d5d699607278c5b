"""The routes that control a batch, as the OpenAPI document describes them."""

from typing import Any

from api.openapi import problems
from api.openapi.problems import BATCH_ID, CORRELATION_ID, problem_responses
from api.openapi.schemas import COUNT, TEXT, TEXT_OR_NULL, Schema, record, ref
from schemas.internal.enums import BatchStatus, Disposition
from schemas.public.control import MAX_REASON, ControlBody, RetryBody
from schemas.public.requests import RequestKind

_LINKED = {"status": f"/v1/batches/{BATCH_ID}/status", "history": f"/v1/batches/{BATCH_ID}/history"}
_CONTROL = {"reason": "The class was registered twice."}
_RETRY = {"phase": "cj_assessment", "essays": "failed", "reason": "The peer was mended."}
_REASONS = {
    RequestKind.CANCEL: "batch_cancelled",
    RequestKind.PAUSE: "batch_paused",
    RequestKind.RESUME: "batch_resumed",
    RequestKind.RETRY: "retry_started",
}
_PREVIEW = {
    "dry_run": True,
    "batch_id": BATCH_ID,
    "version": 4_398_046_511_104,
    "disposition": "refused",
    "reason": "batch_ended",
    "sentence": "the batch has ended: completed_successfully",
    "detail": "The batch has ended, and nothing changes a batch that has ended.",
    "next_step": "Read the batch's status. To process its essays again, register them as a new batch.",
    "status": "completed_successfully",
    "changes": [],
    "effects": [],
    "commands": 0,
    "essays": 0,
    "links": _LINKED,
}
_LINKS = record(
    {
        "status": {"type": "string", "description": "Path of the batch's status."},
        "history": {"type": "string", "description": "Path of its history."},
    }
)
_REASON: Schema = {"type": "string", "description": "Reason code; docs/http.md lists those of refusals."}
_VERSION: Schema = {"type": "integer", "minimum": 0}
_CONTROLLED = record(
    {
        "batch_id": TEXT,
        "request_id": {"type": "string", "description": "Id of the request in the batch's history."},
        "version": {**_VERSION, "description": "Version of the batch after the decision; also the ETag."},
        "disposition": {"const": Disposition.APPLIED.value},
        "reason": _REASON,
        "repeated": {
            "type": "boolean",
            "description": "Whether the request was decided before; then the answer is that of the first time, and "
            "version and status are the present ones.",
        },
        "status": {**TEXT, "examples": [status.value for status in BatchStatus]},
        "batch": {"anyOf": [ref("BatchStatus"), {"type": "null"}], "description": "Null where it cannot be read now."},
        "links": _LINKS,
    },
    description="A request that was applied.",
)
_PREVIEWED = record(
    {
        "dry_run": {"const": True},
        "batch_id": TEXT,
        "version": {**_VERSION, "description": "Present version of the batch; also the ETag."},
        "disposition": {**TEXT, "examples": [each.value for each in Disposition]},
        "reason": _REASON,
        "sentence": {"type": "string", "description": "What would be decided, in words."},
        "detail": TEXT_OR_NULL,
        "next_step": TEXT_OR_NULL,
        "status": {
            **TEXT,
            "description": "Status after the decision.",
            "examples": [status.value for status in BatchStatus],
        },
        "changes": {
            "type": "array",
            "items": record({"phase": TEXT, "before": TEXT, "after": TEXT}, optional=("phase", "before")),
        },
        "effects": {
            "type": "array",
            "items": record({"kind": TEXT, "phase": TEXT, "attempt": COUNT, "essays": COUNT}),
        },
        "commands": {**COUNT, "description": "Number of commands to peers."},
        "essays": {**COUNT, "description": "Number of essays in these commands."},
        "links": _LINKS,
    },
    description="What would be decided in the present state. Nothing was written.",
)


def schemas(max_essays: int) -> dict[str, Schema]:
    """Return the schemas of bodies, by name."""
    return {
        "ControlBody": _body(ControlBody),
        "RetryBody": _body(RetryBody, max_essays),
        "Controlled": _CONTROLLED,
        "ControlPreview": _PREVIEWED,
    }


def links() -> dict[str, Any]:
    """Return the links that lead from a registration to the routes that control its batch."""
    return {
        kind.value: {
            "operationId": f"{kind}_v1_batches__batch_id__{kind}_post",
            "parameters": {"path.batch_id": "$response.body#/batch_id"},
            "description": f"Request to {kind} the batch.",
        }
        for kind in _REASONS
    }


def operation(path: str, kind: RequestKind) -> dict[str, Any]:
    """Return the request body and the responses of one route."""
    retry = kind is RequestKind.RETRY
    answer = {
        "description": "The request was applied; with dry_run, what would be decided.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Correlation-ID", "ETag")},
        "content": {
            "application/json": {
                "schema": {"anyOf": [ref("Controlled"), ref("ControlPreview")]},
                "examples": {"applied": {"value": _controlled(kind)}, "dry_run": {"value": _PREVIEW}},
            }
        },
    }
    return {
        "requestBody": {
            "required": retry,
            "content": {
                "application/json": {
                    "schema": ref("RetryBody" if retry else "ControlBody"),
                    "examples": {kind.value: {"value": _RETRY if retry else _CONTROL}},
                }
            },
        },
        "responses": {"200": answer, **problem_responses(problems.CONTROL, path)},
    }


def _controlled(kind: RequestKind) -> dict[str, Any]:
    return {
        "batch_id": BATCH_ID,
        "request_id": CORRELATION_ID,
        "version": 4_398_046_511_205,
        "disposition": "applied",
        "reason": _REASONS[kind],
        "repeated": False,
        "status": "cancelled" if kind is RequestKind.CANCEL else "processing_pipelines",
        "batch": None,
        "links": _LINKED,
    }


def _body(model: type[ControlBody], max_essays: int | None = None) -> Schema:
    schema = model.model_json_schema()
    schema["description"] = f"{(model.__doc__ or '').strip()} Unknown members are ignored."
    properties = schema["properties"]
    properties["reason"] = {
        "description": "Why, in words for a person; shown in the batch's history.",
        "type": ["string", "null"],
        "maxLength": MAX_REASON,
        "default": "",
    }
    properties["if_version"]["description"] = "As If-Match: refuse the request unless the batch has this version."
    if max_essays is not None:
        # Repeated ids collapse, so that a longer list can be taken; it need not be.
        ids = {"type": "array", "minItems": 1, "maxItems": max_essays, "items": properties["phase"]}
        properties["essays"] = {
            "description": "The essays that the phase lost, all of its essays, or the ids of some.",
            "default": "failed",
            "anyOf": [{"enum": ["failed", "all", None]}, ids],
        }
    return schema
