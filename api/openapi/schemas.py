"""The schemas, headers and parameters of the OpenAPI document."""

from typing import Any

from api.openapi.problems import BATCH_ID, CORRELATION_ID
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus
from schemas.public.registration import HeadRegistration, SeedRegistration, StorageReference

Schema = dict[str, Any]
_TRUE = ("1", "on", "t", "true", "y", "yes")
_FALSE = ("0", "off", "f", "false", "n", "no")
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}


def record(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return the schema of an object in which all members but the optional ones are required."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def ref(name: str) -> Schema:
    """Return a reference to a schema of this document."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(max_essays: int) -> dict[str, Schema]:
    """Return the schemas of bodies, by name."""
    return {
        "SeedRegistration": _registration(SeedRegistration, max_essays),
        "HeadRegistration": _registration(HeadRegistration, max_essays),
        "StorageReference": StorageReference.model_json_schema(),
        "Registered": record({"batch_id": TEXT, "correlation_id": TEXT, "status": {"const": "registered"}}),
        "Problem": _PROBLEM,
        "Fault": _FAULT,
        "BatchStatus": _BATCH,
        "Decision": record(DECISION),
        "ControlRequest": record({"batch_id": TEXT, **DECISION}),
        "ControlRequests": record(
            {"requests": {"type": "array", "items": ref("ControlRequest")}, "next": TEXT_OR_NULL}
        ),
        "ReplayedDecision": record(_REPLAYED),
        "Difference": record(dict.fromkeys(("fact", "published", "replayed"), TEXT)),
        "History": record(
            {"batch_id": TEXT, "decisions": {"type": "array", "items": ref("Decision")}, "next": TEXT_OR_NULL}
        ),
        "Replay": record(
            {
                "batch_id": TEXT,
                "version": {"type": ["integer", "null"]},
                "identical": {"type": "boolean", "description": "Every decision and the status are as published."},
                "whole": {"type": "boolean", "description": "The chain of versions has no break."},
                "decisions": {"type": "array", "items": ref("ReplayedDecision")},
                "status_differences": {"type": "array", "items": ref("Difference")},
            }
        ),
        "Phase": _PHASE,
        "Healthy": record({"status": {"const": "ok"}, "message": TEXT}),
        "Unhealthy": record(
            {
                "status": {"const": "unavailable"},
                "message": TEXT,
                "reasons": {"type": "array", "items": TEXT},
                "processes": {"type": "object"},
            }
        ),
        "ProcessHealthy": record({"status": {"const": "ok"}}),
        "ProcessUnhealthy": record({"status": {"const": "unavailable"}, "reasons": {"type": "array", "items": TEXT}}),
    }


def _registration(model: type[SeedRegistration | HeadRegistration], max_essays: int) -> Schema:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    schema["description"] += " Unknown members are ignored; every integer in the body is within 2**53."
    properties = schema["properties"]
    properties["expected_essay_count"] = {
        "description": "Number of essays of the batch; a text of digits is taken too.",
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": max_essays},
            {"type": "string", "pattern": "^[1-9][0-9]{0,2}$"},
            {"const": True},
        ],
    }
    properties["essay_ids"]["description"] = "Counted, then dropped: as many as expected_essay_count."
    properties["enable_cj_assessment"] = {
        "default": False,
        "anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", "pattern": _any_case(*_TRUE, *_FALSE)}],
    }
    temperature = {"type": "number", "minimum": 0, "maximum": 2}
    properties["cj_default_temperature"] = {
        "anyOf": [
            temperature,
            {"type": "string", "pattern": "^(0|1|2|[01][.][0-9]{1,6})$"},
            {"type": ["boolean", "null"]},
        ]
    }
    return schema


def _any_case(*words: str) -> str:
    spelt = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word) for word in words)
    return f"^({'|'.join(spelt)})$"


_FAULT = record(
    {"type": TEXT, "loc": {"type": "array", "items": {"type": ["string", "integer"]}}, "msg": TEXT},
    description="One fault of a request. It never repeats what was sent.",
)
_PROBLEM = record(
    {
        "type": {"type": "string", "description": "urn:batch-orchestrator:error: and the code."},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "instance": {"type": "string", "description": "The requested path."},
        "code": {
            "type": "string",
            "pattern": "^ORC(-[A-Z]+)+$",
            "description": "Stable; see docs/errors.",
        },
        "next_step": TEXT,
        "correlation_id": {"type": "string", "format": "uuid"},
        "error": {"type": "string", "description": "The short text of the original service."},
        "details": {"type": "array", "items": ref("Fault")},
        "batch_id": TEXT,
        "reason": TEXT,
        "limit_bytes": COUNT,
        "lag_seconds": {"type": "number", "minimum": 0, "description": "Age of the oldest undecided request."},
        "limit": COUNT,
        "count": COUNT,
        "dead_letter_id": TEXT,
        "dead_letter_code": TEXT,
        "batch_status": {"type": "string", "description": "Status of the batch when the request was refused."},
        "version": COUNT,
    },
    optional=(
        *("correlation_id", "details", "batch_id", "reason", "limit_bytes", "dead_letter_id", "dead_letter_code"),
        *("batch_status", "version", "limit", "count", "lag_seconds"),
    ),
    description="RFC 9457, and the members `error` and `details` of the original service.",
)
_FAILED_ESSAY = record(
    {"essay_id": TEXT, "phase": TEXT, "reason": TEXT, "detail": {**TEXT, "description": "The peer's own words."}},
    optional=("detail",),
)
_PHASE = record(
    {
        "status": {**TEXT, "examples": [status.value for status in PhaseStatus]},
        "attempt": COUNT,
        "essay_counts": record(
            dict.fromkeys(("total", "pending_dispatch_or_processing", "successful", "failed"), COUNT)
        ),
        "unaccounted": COUNT,
        "foreign": COUNT,
        "started_at": TIME_OR_NULL,
        "completed_at": TIME_OR_NULL,
        "stalled": {"type": "boolean", "description": "The running attempt takes longer than it should."},
        "retry_due_at": {**TIME_OR_NULL, "description": "When the next attempt starts by itself."},
        "error_info": {"anyOf": [record({"reason": TEXT}), {"type": "null"}]},
        "progress_percentage": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    }
)
_BATCH = record(
    {
        "batch_id": TEXT,
        "status": {**TEXT, "examples": [status.value for status in BatchStatus]},
        "version": {"type": "integer", "minimum": 0, "description": "Only grows; it is also the ETag."},
        "correlation_id": TEXT,
        "reason": TEXT_OR_NULL,
        "stalled": {"type": "boolean"},
        "held": {"type": "boolean", "description": "A phase waits for a person who retries it."},
        "paused": {
            "anyOf": [record({"since": TIME, "by": TEXT, "reason": TEXT}), {"type": "null"}],
            "description": "Who paused the batch and when; null while it goes on.",
        },
        "counts": record(dict.fromkeys(("expected", "ready", "unaccounted", "succeeded", "failed"), COUNT)),
        "failed_essays": {"type": "array", "items": _FAILED_ESSAY},
        "file_failures": {"type": "array", "items": {"type": "object"}},
        "file_failures_total": COUNT,
        "registered_at": TIME,
        "updated_at": TIME,
        "ended_at": TIME_OR_NULL,
        "pipeline": record({"name": TEXT, "version": {"type": "integer"}}),
        "deadlines": {
            "type": "array",
            "items": record({"kind": TEXT, "phase": TEXT_OR_NULL, "attempt": {"type": "integer"}, "due_at": TIME}),
        },
        "owner": record({"subject": TEXT, "organisation": TEXT}),
        "batch_context": {"type": "object", "description": "The values of the registration (docs/http.md, status)."},
        "pipeline_state": record(
            {
                "batch_id": TEXT,
                "requested_pipelines": {"type": "array", "items": TEXT},
                "last_updated": TIME,
            },
            additionalProperties=ref("Phase"),
            description="In addition, one member for each phase, by its name.",
        ),
    }
)
_OBJECT_OR_NULL: Schema = {"type": ["object", "null"]}
_CAUSE = record(
    {"topic": TEXT, "partition": {"type": "integer"}, "offset": {"type": "integer"}, "event_id": TEXT}
    | {"produced_at": TIME_OR_NULL}
)
DECISION: dict[str, Schema] = {
    "position": {
        "type": "integer",
        "description": "Place of the event in the batch's order; the batch's version, where it was applied.",
    },
    "partition": {"type": "integer", "description": "Partition of the inbox."},
    "offset": {"type": "integer", "description": "Offset on the inbox."},
    "time": TIME,
    "event": {"type": "string", "description": "Kind of the event; empty if it could not be decoded."},
    "disposition": {"enum": [disposition.value for disposition in Disposition]},
    "reason": {"type": "object", "description": "`code`, and the parameters that the code has."},
    "sentence": TEXT,
    "version": {"type": "integer", "description": "Version of the batch after it; -1 where there is none."},
    "based_on": {"type": "integer", "description": "Version of the batch before it; -1 where there was none."},
    "changes": {"type": "array", "items": record({"phase": TEXT_OR_NULL, "from": TEXT_OR_NULL, "to": TEXT})},
    "succeeded": COUNT,
    "failed": COUNT,
    "failed_essays": {"type": "array", "items": {"type": "object"}},
    "effects": {"type": "array", "items": {"type": "object"}},
    "cause": {"anyOf": [_CAUSE, {"type": "null"}], "description": "Where the event lies in Kafka."},
    "origin": _OBJECT_OR_NULL,
    "actor": _OBJECT_OR_NULL,
    "request_id": TEXT_OR_NULL,
    "dead_letter_id": TEXT_OR_NULL,
    "links": {"type": "object", "additionalProperties": TEXT, "description": "Paths, by what they lead to."},
}
_REPLAYED: dict[str, Schema] = DECISION | {
    "decided": {"type": "boolean", "description": "False for a quarantined record, which is not decided again."},
    "based_on_expected": {
        "type": ["integer", "null"],
        "description": "Where the chain breaks: the version that it should be based on.",
    },
    "differences": {"type": "array", "items": ref("Difference")},
}

HEADERS: dict[str, Schema] = {
    "Content-Disposition": {
        "description": "A name for the file.",
        "schema": TEXT,
        "example": f'attachment; filename="batch-{BATCH_ID}.jsonl"',
    },
    "X-Correlation-ID": {
        "description": "The caller's correlation id, or a new one.",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "example": CORRELATION_ID,
    },
    "Location": {
        "description": "Path of the batch's status.",
        "schema": TEXT,
        "example": f"/v1/batches/{BATCH_ID}/status",
    },
    "ETag": {"description": "The version in quotes.", "schema": TEXT, "example": '"4398046511104"'},
    "Cache-Control": {"schema": TEXT, "example": "no-cache"},
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "1",
    },
    "Allow": {"description": "The methods of this path.", "schema": TEXT, "example": "POST"},
    "WWW-Authenticate": {
        "description": "How to give a credential.",
        "schema": TEXT,
        "example": 'Bearer realm="batch-orchestrator"',
    },
    "Accept-Encoding": {"description": "The accepted encodings.", "schema": TEXT, "example": "identity"},
}


def header_parameter(name: str, description: str, schema: Schema, example: str) -> Schema:
    """Return a request header that may be left out."""
    return {"name": name, "in": "header", "description": description, "schema": schema, "example": example}


_NAME: Schema = {"type": "string", "maxLength": 255, "pattern": "^[ -~]*$"}
PARAMETERS: dict[str, Schema] = {
    "Idempotency-Key": header_parameter(
        "Idempotency-Key",
        "The same key and body give the first answer, as often as they are sent; of a registration, the same batch.",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        "5f0c2c0e-6f0f-4c53-9a2b-0f8f4f1f7d11",
    ),
    "X-Correlation-ID": header_parameter(
        "X-Correlation-ID", "Used if it is a UUID; otherwise a new one is created.", TEXT, CORRELATION_ID
    ),
    "X-User-ID": header_parameter("X-User-ID", "The calling user; not verified.", _NAME, "teacher-001"),
    "X-Org-ID": header_parameter("X-Org-ID", "The user's organisation.", _NAME, "school-7"),
    "Last-Event-ID": header_parameter(
        "Last-Event-ID",
        "The id of the last event that the caller has seen; the stream goes on after it.",
        TEXT,
        "WzEsNDcxMl0",
    ),
    "If-Match": header_parameter(
        "If-Match",
        "The ETag that the caller has seen; 412 if the batch has another version.",
        {"type": "string", "pattern": '^("[0-9]{1,15}"|[0-9]{1,15})$'},
        '"4398046511104"',
    ),
    "If-None-Match": header_parameter(
        "If-None-Match", "Versions that the caller has; 304 if the batch has one of them.", TEXT, '"4398046511104"'
    ),
}
