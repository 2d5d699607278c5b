"""The streams of live updates in the OpenAPI document."""

from typing import Any

from api.openapi import problems
from api.openapi.problems import BATCH_ID, problem_responses
from api.openapi.read_side import filter_parameters
from api.openapi.schemas import record

HEADERS = ("Last-Event-ID",)
_EXAMPLE = {
    "event": "batch",
    "data": '{"ids":[{"id":"' + BATCH_ID + '","version":4711,"status":"processing_pipelines"}],'
    '"n":1,"upto":"2026-11-26T09:00:00.120Z"}',
    "id": "WzEsNDcxMl0",
}
_EVENT = record(
    {
        "event": {"enum": ["batch", "heartbeat", "reset", "dropped"]},
        "data": {"type": "string", "description": "JSON; docs/live.md describes that of each event."},
        "id": {"type": "string", "description": "Send it as Last-Event-ID to go on after this event."},
    },
    optional=("id",),
    description="One event of the stream.",
)


def stream_operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the description of each stream, by path and method."""
    paths = ("/v1/stream", "/v1/batches/{batch_id}/stream", "/v1/batches/stream")
    return {(path, "get"): _stream(path) for path in paths}


def _stream(path: str) -> dict[str, Any]:
    filters = {"parameters": filter_parameters()} if path == "/v1/stream" else {}
    return filters | {
        "responses": {
            "200": {
                "description": "Server-sent events; see docs/live.md.",
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _NAMES},
                "content": {"text/event-stream": {"schema": _EVENT, "example": _EXAMPLE}},
            },
            **problem_responses(problems.STREAM if path == "/v1/stream" else problems.BATCH_STREAM, path),
        }
    }


_NAMES = ("X-Correlation-ID", "Cache-Control")
