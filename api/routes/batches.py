"""Routes of batches: registration and status."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.auth import READ, WRITE, may_reach
from api.dependencies import require_principal, services_of
from api.errors import CORRELATION_HEADER, batch_not_found
from api.headers import header
from api.paths import status_path
from api.requests.keys import IDEMPOTENCY_HEADER
from api.routes.conditional import tags
from api.routes.operations import counted, decoded_id
from api.routes.request_body import off_the_loop, parse_object, read_body
from api.routes.status_response import status_body
from runtime.logs import get_logger
from schemas.internal.status import StatusRecord

_OPERATION = "register_batch"
_DEFAULT_WAIT_S = 5.0
_logger = get_logger("api.routes.batches")
batch_routes = APIRouter(prefix="/v1/batches", tags=["batches"])

Wait = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
MinVersion = Annotated[int | None, Query(ge=0, lt=2**63)]


@batch_routes.post("/register", status_code=202)
async def register(request: Request) -> Response:
    """Register a batch; 202 means that the registered event is in Kafka, committed."""
    with counted(request, _OPERATION):
        return await _register(request)


async def _register(request: Request) -> Response:
    services = services_of(request)
    principal = require_principal(request, WRITE)
    key = header(request.scope["headers"], IDEMPOTENCY_HEADER.lower())
    services.backlog.require_room()
    with services.registrations:
        raw = await read_body(request, services.settings.max_input_bytes, services.settings.body_timeout_s)
        limits = services.settings.limits()
        body = await off_the_loop(len(raw), lambda: parse_object(raw, limits))
        answer = await services.registration.register(body, principal, request.state.correlation_id, key, size=len(raw))
    _logger.info("batch_registered", batch_id=answer.batch_id, correlation_id=answer.correlation_id)
    return JSONResponse(
        {"batch_id": answer.batch_id, "correlation_id": answer.correlation_id, "status": "registered"},
        status_code=202,
        headers={CORRELATION_HEADER: answer.correlation_id, "Location": status_path(answer.batch_id)},
    )


@batch_routes.get("/{batch_id}/status")
async def status(request: Request, batch_id: str, wait: Wait = None, min_version: MinVersion = None) -> Response:
    """Return a batch's status, at once or after waiting up to `wait` seconds (docs/http.md, waiting)."""
    return await _status(request, decoded_id(batch_id), wait, min_version)


@batch_routes.get("/status")
async def status_by_query(
    request: Request, batch_id: str, wait: Wait = None, min_version: MinVersion = None
) -> Response:
    """Return a batch's status as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _status(request, batch_id, wait, min_version)


async def _status(request: Request, batch_id: str, wait: float | None, min_version: int | None) -> Response:
    services = services_of(request)
    principal = require_principal(request, READ)
    known = tags(request.headers.get("if-none-match", ""))
    seconds = min(_DEFAULT_WAIT_S if wait is None else wait, services.settings.max_wait_s)

    def wanted(found: StatusRecord) -> bool:
        if min_version is not None:
            return found.version >= min_version
        return str(found.version) not in known if known else found.status.terminal

    if wait is None and min_version is None:
        found = await services.batches.find(batch_id)
    else:
        found = await services.batches.find_when(batch_id, wanted, seconds)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    headers = {"ETag": f'"{found.version}"', "Cache-Control": "no-cache"}
    if "*" in known or str(found.version) in known:
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(status_body(found)), media_type="application/json", headers=headers)
