"""Routes that explain a batch: differences of its states, decisions, what if, what next, and a test made of it.

Each exists with the id in the path, and in the query for ids that do not come through a path.
"""

import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.auth import READ, may_reach
from api.dependencies import Services, require_principal, services_of
from api.errors import batch_not_found, invalid_body
from api.paths import BATCHES
from api.routes.conditional import tags
from api.routes.explain_response import diff_body, explained_body, next_body, what_if_body
from api.routes.operations import decoded_id
from api.routes.request_body import parse_object, read_body, read_text
from api.routes.status_response import status_body
from schemas.errors import InvalidRequest
from schemas.public.next_event import parse_next_event
from state.compose import NextEvent

MOST_FILE_BYTES = 262_144
"""Largest pipelines file that is taken."""
_MOST_BODY_BYTES = 65_536
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_FOR_EVER = "private, max-age=31536000, immutable"
_NOW = "no-cache"
explain_routes = APIRouter(prefix=BATCHES, tags=["explain"])

From = Annotated[int, Query(alias="from", ge=0, lt=2**63, description="The earlier version.")]
To = Annotated[int, Query(ge=0, lt=2**63, description="The later version.")]
_PLACE = "Position of the event; the batch's version, if it was applied."
Version = Annotated[int, Path(ge=0, lt=2**63, description=_PLACE)]
VersionInQuery = Annotated[int, Query(ge=0, lt=2**63, description=_PLACE)]
Pipeline = Annotated[str, Query(max_length=64, description="Definition of the file; by default the batch's own name.")]


@explain_routes.get("/{batch_id}/diff")
async def diff(request: Request, batch_id: str, before: From, to: To) -> Response:
    """Return what differs between the batch's states at two versions."""
    return await _diff(request, decoded_id(batch_id), before, to)


@explain_routes.get("/diff")
async def diff_by_query(request: Request, batch_id: str, before: From, to: To) -> Response:
    """Return the differences as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _diff(request, batch_id, before, to)


@explain_routes.get("/{batch_id}/decisions/{version}")
async def decision(request: Request, batch_id: str, version: Version) -> Response:
    """Return one decision: its event, what it changed and published, and its neighbours."""
    return await _decision(request, decoded_id(batch_id), version)


@explain_routes.get("/decisions")
async def decision_by_query(request: Request, batch_id: str, version: VersionInQuery) -> Response:
    """Return a decision as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _decision(request, batch_id, version)


@explain_routes.post("/{batch_id}/what-if")
async def what_if(request: Request, batch_id: str, pipeline: Pipeline = "") -> Response:
    """Decide the batch's own records under another pipelines file, and return what differs. Nothing is written."""
    return await _what_if(request, decoded_id(batch_id), pipeline)


@explain_routes.post("/what-if")
async def what_if_by_query(request: Request, batch_id: str, pipeline: Pipeline = "") -> Response:
    """Compare as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _what_if(request, batch_id, pipeline)


@explain_routes.post("/{batch_id}/imagine")
async def imagine(request: Request, batch_id: str) -> Response:
    """Return what would be decided if the given event came next. Nothing is written."""
    return await _imagine(request, decoded_id(batch_id))


@explain_routes.post("/imagine")
async def imagine_by_query(request: Request, batch_id: str) -> Response:
    """Imagine the next event as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _imagine(request, batch_id)


@explain_routes.get("/{batch_id}/fixture")
async def fixture(request: Request, batch_id: str) -> Response:
    """Return the batch's records and decisions as a file that the product's tests replay."""
    return await _fixture(request, decoded_id(batch_id))


@explain_routes.get("/fixture")
async def fixture_by_query(request: Request, batch_id: str) -> Response:
    """Return the file as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _fixture(request, batch_id)


async def state_at(request: Request, batch_id: str, version: int) -> Response:
    """Return a batch's status as it was at a version; for the route of a batch with `?at=`."""
    services = await _reached(request, batch_id)
    found = await services.explain.at(batch_id, version)
    return for_ever(request, status_body(found), str(found.version))


async def _diff(request: Request, batch_id: str, before: int, after: int) -> Response:
    services = await _reached(request, batch_id)
    changes = await services.explain.diff(batch_id, before, after)
    return for_ever(request, diff_body(batch_id, before, after, changes), f"{before}-{after}")


async def _decision(request: Request, batch_id: str, version: int) -> Response:
    services = await _reached(request, batch_id)
    found = await services.explain.decision(batch_id, version)
    body, tag = explained_body(found), f"{version}-{'' if found.next is None else found.next}"
    # The last decision gets a neighbour when the next event comes.
    return for_ever(request, body, tag, cache=_NOW if found.next is None else _FOR_EVER)


async def _what_if(request: Request, batch_id: str, pipeline: str) -> Response:
    services = await _reached(request, batch_id)
    text = await read_text(request, MOST_FILE_BYTES, services.settings.body_timeout_s)
    found = await services.explain.what_if(batch_id, text, pipeline)
    return Response(msgspec.json.encode(what_if_body(found)), media_type="application/json")


async def _imagine(request: Request, batch_id: str) -> Response:
    services = await _reached(request, batch_id)
    settings = services.settings
    raw = await read_body(request, _MOST_BODY_BYTES, settings.body_timeout_s)
    try:
        body = parse_next_event(parse_object(raw, settings.limits()))
    except InvalidRequest as error:
        raise invalid_body(error) from error
    found = await services.explain.imagine(batch_id, NextEvent(**body.model_dump()))
    headers = {"ETag": f'"{found.before.version}"'}
    return Response(msgspec.json.encode(next_body(found)), media_type="application/json", headers=headers)


async def _fixture(request: Request, batch_id: str) -> Response:
    services = await _reached(request, batch_id)
    content = await services.explain.fixture(batch_id)
    headers = {"Content-Disposition": f'attachment; filename="batch-{_UNSAFE.sub("-", batch_id)[:100]}.jsonl"'}
    return Response(content, media_type="application/jsonl", headers=headers | {"Cache-Control": _NOW})


async def _reached(request: Request, batch_id: str) -> Services:
    """Return the services. Raises `Problem` 403 or 404 where the caller may not see the batch."""
    services = services_of(request)
    principal = require_principal(request, READ)
    found = await services.batches.find(batch_id)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    return services


def for_ever(request: Request, body: dict[str, Any], tag: str, *, cache: str = _FOR_EVER) -> Response:
    """Return JSON that never changes, which its reader may keep; 304 where it names the ETag."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": cache, "Vary": "X-User-ID, X-Org-ID"}
    if tags(request.headers.get("if-none-match", "")) & {"*", tag}:
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)
