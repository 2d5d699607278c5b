"""Routes that control a batch: cancel, pause, resume, retry. Each exists with the id in the path, and in the query."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.auth import WRITE
from api.control.reply import control_body, preview_body
from api.control.service import ControlRequest
from api.dependencies import require_principal, services_of
from api.errors import Problem
from api.headers import header
from api.paths import BATCHES
from api.requests.keys import IDEMPOTENCY_HEADER
from api.routes.operations import counted, decoded_id
from api.routes.request_body import off_the_loop, parse_object, read_body
from runtime.logs import get_logger
from schemas.errors import Code
from schemas.public.control import MAX_VERSION
from schemas.public.requests import RequestKind

CONTROLS = (RequestKind.CANCEL, RequestKind.PAUSE, RequestKind.RESUME, RequestKind.RETRY)
_DESCRIPTIONS = {
    RequestKind.CANCEL: "End a batch now; its open phases are cancelled.",
    RequestKind.PAUSE: "Pause a batch: no further command goes out, and its deadlines stop.",
    RequestKind.RESUME: "Let a paused batch go on.",
    RequestKind.RETRY: "Run a phase of a batch again: on all its essays, on those that failed, or on a list.",
}
_TAG = re.compile(r'(?:W/)?"([0-9]{1,16})"|([0-9]{1,16})')
_logger = get_logger("api.routes.control")
control_routes = APIRouter(prefix=BATCHES, tags=["control"])

DryRun = Annotated[bool, Query(description="Answer what would be decided now, and write nothing.")]


def _by_path(kind: RequestKind) -> Callable[..., Awaitable[Response]]:
    async def control(request: Request, batch_id: str, *, dry_run: DryRun = False) -> Response:
        return await _control(request, kind, decoded_id(batch_id), dry_run=dry_run)

    return control


def _by_query(kind: RequestKind) -> Callable[..., Awaitable[Response]]:
    async def control_by_query(request: Request, batch_id: str, *, dry_run: DryRun = False) -> Response:
        return await _control(request, kind, batch_id, dry_run=dry_run)

    return control_by_query


for _kind in CONTROLS:
    for _path, _route in ((f"/{{batch_id}}/{_kind}", _by_path(_kind)), (f"/{_kind}", _by_query(_kind))):
        control_routes.add_api_route(_path, _route, methods=["POST"], name=f"{_kind}", description=_DESCRIPTIONS[_kind])


async def _control(request: Request, kind: RequestKind, batch_id: str, *, dry_run: bool) -> Response:
    controls = services_of(request).controls
    if dry_run:
        with controls:
            return await _preview(request, kind, batch_id)
    with counted(request, f"{kind}_batch"), controls:
        return await _decide(request, kind, batch_id)


async def _preview(request: Request, kind: RequestKind, batch_id: str) -> Response:
    found = await services_of(request).control.preview(await _asked(request, kind, batch_id))
    return JSONResponse(preview_body(found), headers={"ETag": f'"{found.before.version}"'})


async def _decide(request: Request, kind: RequestKind, batch_id: str) -> Response:
    asked = await _asked(request, kind, batch_id)
    done = await services_of(request).control.control(asked)
    _logger.info(
        "batch_controlled",
        kind=kind.value,
        batch_id=batch_id,
        request_id=done.request_id,
        reason=done.first.reason.value,
        subject=asked.principal.subject,
        correlation_id=asked.correlation_id,
    )
    return JSONResponse(control_body(done), headers={"ETag": f'"{done.answer.version}"'})


async def _asked(request: Request, kind: RequestKind, batch_id: str) -> ControlRequest:
    settings = services_of(request).settings
    principal = require_principal(request, WRITE)
    headers = request.scope["headers"]
    expected = _expected_version(header(headers, "if-match"))
    may_lack_body = kind is not RequestKind.RETRY
    raw = await read_body(request, settings.max_input_bytes, settings.body_timeout_s, optional=may_lack_body)
    limits = settings.limits()
    body = await off_the_loop(len(raw), lambda: parse_object(raw, limits))
    return ControlRequest(
        kind=kind,
        batch_id=batch_id,
        body=_with_version(body, expected),
        principal=principal,
        correlation_id=request.state.correlation_id,
        key=header(headers, IDEMPOTENCY_HEADER.lower()),
        size=len(raw),
    )


def _expected_version(if_match: str | None) -> int | None:
    """Return the version that If-Match names, or None.

    A proxy that compresses may have made the ETag a weak one, and a shell may have taken its quotes: both are read.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    version = MAX_VERSION + 1 if found is None else int(found[1] or found[2])
    if version > MAX_VERSION:
        raise _unusable("If-Match must be one version in quotes, as the ETag of a status.")
    return version


def _with_version(body: dict[str, Any], expected: int | None) -> dict[str, Any]:
    if expected is None:
        return body
    given = body.get("if_version")
    if given is not None and given != expected:
        raise _unusable("If-Match and if_version name different versions.")
    return body | {"if_version": expected}


def _unusable(detail: str) -> Problem:
    return Problem(
        400,
        Code.HEADER,
        detail,
        next_step='Send the version that you have seen as If-Match: "VERSION", or leave it out.',
        error="Validation Error",
        details=[{"type": "header", "loc": ["header", "If-Match"], "msg": "not usable as a version"}],
    )
