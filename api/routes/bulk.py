"""Routes of bulk operations: begin, list, look at, stop (docs/operations.md)."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.auth import LETTERS_WRITE, READ, WRITE
from api.dependencies import require_principal, services_of
from api.errors import invalid_body
from api.headers import header
from api.operations import problems
from api.operations.reply import dry_run_body, operation_body
from api.paths import decode_segment
from api.requests.keys import IDEMPOTENCY_HEADER, check_key
from api.routes.operations import counted
from api.routes.request_body import off_the_loop, parse_object, read_body
from schemas.errors import InvalidRequest
from schemas.public.operations import OperationBody, parse_operation

_BODY_BYTES = 1_048_576
_PATH = "/v1/operations"
_COUNTED = "start_operation"
bulk_routes = APIRouter(prefix=_PATH, tags=["operations"])

Limit = Annotated[int, Query(ge=1, le=200)]


@bulk_routes.post("", status_code=202)
async def start(request: Request) -> Response:
    """Begin an action on many batches or dead letters; with `dry_run`, tell what would be decided now."""
    with counted(request, _COUNTED), services_of(request).controls:
        body = await _body(request)
        principal = require_principal(request, LETTERS_WRITE if body.kind.of_letters else WRITE)
        operations = services_of(request).operations
        key = header(request.scope["headers"], IDEMPOTENCY_HEADER.lower())
        if key is not None:
            check_key(key)
        if body.dry_run:
            return _json(dry_run_body(await operations.dry_run(body, principal)))
        record = await operations.start(body, principal, key)
    stop = operations.registry.stop_of(record.operation_id)
    answer = _json(operation_body(record, stop), 202)
    answer.headers["Location"] = f"{_PATH}/{record.operation_id}"
    return answer


@bulk_routes.get("")
async def list_operations(request: Request, limit: Limit = 50) -> Response:
    """Return the operations that the caller may see, the newest first."""
    principal = require_principal(request, READ)
    operations = services_of(request).operations
    found = operations.list(principal)
    shown = [operation_body(record, operations.registry.stop_of(record.operation_id)) for record in found[:limit]]
    return _json({"operations": shown, "total": len(found)})


@bulk_routes.get("/{operation_id}")
async def operation(request: Request, operation_id: str) -> Response:
    """Return an operation: how far it is, and its results by disposition and reason."""
    principal = require_principal(request, READ)
    operations = services_of(request).operations
    record = await operations.get(_id(operation_id), principal)
    return _json(operation_body(record, operations.registry.stop_of(record.operation_id)))


@bulk_routes.post("/{operation_id}/stop")
async def stop(request: Request, operation_id: str) -> Response:
    """Stop an operation after the items that are in work; what was decided stays decided."""
    with counted(request, "stop_operation"):
        principal = require_principal(request, WRITE)
        operations = services_of(request).operations
        record = await operations.stop(_id(operation_id), principal)
    return _json(operation_body(record, operations.registry.stop_of(record.operation_id)))


async def _body(request: Request) -> OperationBody:
    settings = services_of(request).settings
    raw = await read_body(request, _BODY_BYTES, settings.body_timeout_s)
    limits = settings.limits()
    try:
        return await off_the_loop(len(raw), lambda: parse_operation(parse_object(raw, limits)))
    except InvalidRequest as error:
        raise invalid_body(error) from error


def _id(segment: str) -> str:
    try:
        return decode_segment(segment)
    except UnicodeDecodeError:
        raise problems.not_found(segment) from None


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(body), status, media_type="application/json", headers={"Cache-Control": "no-cache"}
    )
