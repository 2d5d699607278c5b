"""The OpenAPI document: FastAPI's paths and parameters, with the responses of each route."""

from copy import deepcopy
from functools import cache
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from api.asyncapi import document as asyncapi
from api.openapi import bulk, control, explain, problems, read_side, streams
from api.openapi.letter_schemas import letter_schemas
from api.openapi.problems import BATCH_ID, CORRELATION_ID, problem_responses
from api.openapi.schemas import HEADERS, PARAMETERS, TEXT, ref, schemas
from api.openapi.security import SCHEMES, security_of
from api.routes.control import CONTROLS
from schemas.topics import TopicTable

_SEED = {
    "expected_essay_count": 25,
    "course_code": "SV1",
    "class_designation": "9A",
    "teacher_name": "Ms Berg",
    "essay_instructions": "Argue for or against school uniforms.",
    "enable_cj_assessment": True,
}
_HEAD = {"expected_essay_count": 25, "course_code": "ENG5", "user_id": "teacher-001"}
_REGISTERED = {"batch_id": BATCH_ID, "correlation_id": CORRELATION_ID, "status": "registered"}
_HEALTHY = {"status": "ok", "message": "Batch Orchestrator Service is healthy"}
_UNHEALTHY = {
    "status": "unavailable",
    "message": "Batch Orchestrator Service is not healthy",
    "reasons": ["router: no process is running."],
    "processes": {"router": {"members": 0, "assigned_partitions": 0, "settled": True, "behind_seconds": 0.0}},
}
_CALLER = ("X-Correlation-ID", "X-User-ID", "X-Org-ID")


def install(app: FastAPI, *, max_essays: int, credentials_required: bool = False) -> None:
    """Make `app` serve the result of `document`, created at the first request."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app, max_essays=max_essays, credentials_required=credentials_required)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def install_asyncapi(app: FastAPI, topics: TopicTable) -> None:
    """Make `app` serve the AsyncAPI document of these topics, created at the first request."""

    @cache
    def made() -> bytes:
        return asyncapi.text_of(asyncapi.document(topics)).encode()

    @app.get("/asyncapi.json", include_in_schema=False)
    async def asyncapi_document() -> Response:
        return Response(made(), media_type="application/json")


def document(app: FastAPI, *, max_essays: int, credentials_required: bool = False) -> dict[str, Any]:
    """Return the document of every route; a route without an entry here is a defect (`KeyError`)."""
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    described = _operations()
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            headers, description = described[path, method]
            parameters = [each for each in operation.get("parameters", ()) if each["in"] != "header"]
            parameters += description.pop("parameters", [])
            operation["parameters"] = [*parameters, *({"$ref": f"#/components/parameters/{name}"} for name in headers)]
            operation.update(description)
            operation["security"] = security_of(path, required=credentials_required)
        if "get" in operations:
            operations["head"] = _head(operations["get"])
    made["components"] = {
        "schemas": schemas(max_essays)
        | control.schemas(max_essays)
        | letter_schemas()
        | read_side.schemas(max_essays)
        | explain.schemas()
        | bulk.schemas(),
        "headers": deepcopy(HEADERS),
        "parameters": deepcopy(PARAMETERS),
        "securitySchemes": deepcopy(SCHEMES),
    }
    return made


def _head(get: dict[str, Any]) -> dict[str, Any]:
    """Return the HEAD operation of a GET: the same answers, without bodies and the links that lead on from them."""
    head = deepcopy(get)
    head["operationId"] = f"{get['operationId'].removesuffix('_get')}_head"
    head["summary"] = f"{get['summary']}, without the body"
    for response in head["responses"].values():
        response.pop("content", None)
        response.pop("links", None)
    return head


def _operations() -> dict[tuple[str, str], tuple[tuple[str, ...], dict[str, Any]]]:
    """Return the request headers and the description of each operation."""
    status = {"/v1/batches/{batch_id}/status", "/v1/batches/status"}
    return {
        ("/v1/batches/register", "post"): (("Idempotency-Key", *_CALLER), _register()),
        **{(path, "get"): (("If-None-Match", *_CALLER), _status(path)) for path in status},
        **{
            (path, "post"): (("Idempotency-Key", "If-Match", *_CALLER), control.operation(path, kind))
            for kind in CONTROLS
            for path in (f"/v1/batches/{{batch_id}}/{kind}", f"/v1/batches/{kind}")
        },
        **{
            (path, "get"): (
                ("If-None-Match", *_CALLER),
                _kept(path, "What was decided, the oldest first.", "History", problems.HISTORY),
            )
            for path in ("/v1/batches/{batch_id}/history", "/v1/batches/history")
        },
        ("/v1/control-requests", "get"): (
            ("If-None-Match", *_CALLER),
            _kept(
                "/v1/control-requests",
                "What came of the requests, the newest first.",
                "ControlRequests",
                problems.CONTROL_REQUESTS,
            ),
        ),
        **{
            (path, "get"): (
                ("If-None-Match", *_CALLER),
                _kept(path, "The replay, whatever it shows.", "Replay", problems.REPLAY),
            )
            for path in ("/v1/batches/{batch_id}/replay", "/v1/batches/replay")
        },
        **{at: (_CALLER, described) for at, described in letter_operations().items()},
        **read_side.operations(),
        **explain.operations(),
        **{
            at: (("Idempotency-Key", *_CALLER) if at == ("/v1/operations", "post") else _CALLER, described)
            for at, described in bulk.operations().items()
        },
        **{at: ((*streams.HEADERS, *_CALLER), described) for at, described in streams.stream_operations().items()},
        ("/healthz", "get"): ((), _service("/healthz", "Healthy", "Unhealthy", _HEALTHY, _UNHEALTHY)),
        **{
            (path, "get"): (
                (),
                _service(
                    path,
                    "ProcessHealthy",
                    "ProcessUnhealthy",
                    {"status": "ok"},
                    {"status": "unavailable", "reasons": ["api: the Kafka log is still being read up to its end."]},
                ),
            )
            for path in ("/livez", "/readyz")
        },
        ("/metrics", "get"): ((), _metrics()),
    }


def _register() -> dict[str, Any]:
    links = control.links() | {
        "status": {
            "operationId": "status_v1_batches__batch_id__status_get",
            "parameters": {"path.batch_id": "$response.body#/batch_id"},
            "description": "The status of the batch, right after the 202 too.",
        }
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [ref("SeedRegistration"), ref("HeadRegistration")]},
                    "examples": {"seed": {"value": _SEED}, "head": {"value": _HEAD}},
                }
            },
        },
        "responses": {
            "202": {
                **_json("The registered event is in Kafka, committed.", "Registered", _REGISTERED, "Location"),
                "links": links,
            },
            **problem_responses(problems.REGISTER, "/v1/batches/register"),
        },
    }


def _status(path: str) -> dict[str, Any]:
    validators = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers("ETag", "Cache-Control")}
    return {
        "responses": {
            "200": _json("The status of the batch.", "BatchStatus", None, "ETag", "Cache-Control"),
            "304": {"description": "The batch has a version that If-None-Match names.", "headers": validators},
            **problem_responses(problems.STATUS, path),
        }
    }


def _kept(path: str, description: str, schema: str, codes: tuple[str, ...]) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers("ETag", "Cache-Control")}
    return {
        "responses": {
            "200": _json(description, schema, None, "ETag", "Cache-Control"),
            "304": {"description": "The caller has this answer: If-None-Match names its ETag.", "headers": headers},
            **problem_responses(codes, path),
        }
    }


def _decisions(path: str, description: str, schema: str, codes: tuple[str, ...]) -> dict[str, Any]:
    return {"responses": {"200": _json(description, schema, None, "Cache-Control"), **problem_responses(codes, path)}}


def letter_operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the description of each operation on dead letters."""
    base, one = "/v1/dead-letters", "/v1/dead-letters/{dead_letter_id}"
    told = {
        (base, "get"): ("DeadLetters", problems.LETTERS, None),
        (f"{base}/groups", "get"): ("DeadLetterGroups", problems.LETTERS, None),
        (one, "get"): ("DeadLetter", problems.LETTER, None),
        (f"{one}/preview", "post"): ("DeadLetterPreview", problems.LETTER_PREVIEW, None),
        (f"{base}/preview", "post"): ("DeadLetterGroupPreview", problems.LETTER_GROUP, "WorkLetters"),
    }
    for act in ("replay", "discard"):
        told[f"{one}/{act}", "post"] = ("HandledDeadLetter", problems.LETTER_WORK, "WorkLetter")
        told[f"{base}/{act}", "post"] = ("WorkedDeadLetters", problems.LETTER_GROUP, "WorkLetters")
    return {
        (path, method): _body_of(body) | _decisions(path, "The answer; see docs/dead-letters.md.", schema, codes)
        for (path, method), (schema, codes, body) in told.items()
    }


def _body_of(schema: str | None) -> dict[str, Any]:
    if schema is None:
        return {}
    required = schema == "WorkLetters"
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": ref(schema)}}}}


def _service(path: str, healthy: str, unhealthy: str, good: dict[str, Any], bad: dict[str, Any]) -> dict[str, Any]:
    return {
        "responses": {
            "200": _json("Healthy.", healthy, good, "Cache-Control"),
            "503": _json("Not healthy, for the given reasons.", unhealthy, bad, "Cache-Control"),
            **problem_responses(problems.EVERYWHERE, path),
        }
    }


def _metrics() -> dict[str, Any]:
    kinds = ("text/plain", "application/openmetrics-text")
    return {
        "responses": {
            "200": {
                "description": "Prometheus text, or OpenMetrics where Accept asks for it.",
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _headers("Cache-Control")},
                "content": {kind: {"schema": TEXT, "example": "batch_orchestrator_healthy 1.0\n"} for kind in kinds},
            },
            **problem_responses(problems.EVERYWHERE, "/metrics"),
        }
    }


def _json(description: str, schema: str, example: dict[str, Any] | None, *headers: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": ref(schema)}
    if example is not None:
        content["example"] = example
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _headers(*headers)},
        "content": {"application/json": content},
    }


def _headers(*names: str) -> tuple[str, ...]:
    return ("X-Correlation-ID", *names)
