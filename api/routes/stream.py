"""Routes of live updates: a stream of one batch, and of the batches that fit a filter (docs/live.md)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.admission import HEAD
from api.auth import READ, may_reach, visibility_of
from api.dependencies import require_principal, services_of
from api.errors import batch_not_found
from api.live.events import Changed, batch_event
from api.live.matching import Interest
from api.live.position import MOST_CHARACTERS
from api.live.response import EventStream
from api.queries.filters import parse_filter
from api.routes.operations import decoded_id
from state.projection import EVERYTHING

stream_routes = APIRouter(tags=["live updates"])
_LAST_EVENT_ID = "last-event-id"
_IN_QUERY = "last_event_id"

Since = Annotated[str | None, Query(max_length=MOST_CHARACTERS)]


@stream_routes.get("/v1/stream")
async def stream(request: Request, last_event_id: Since = None) -> Response:
    """Send notices of the batches that fit, as they are decided."""
    principal = require_principal(request, READ)
    query = {name: request.query_params.getlist(name) for name in request.query_params if name != _IN_QUERY}
    return _open(request, Interest(visibility_of(principal), parse_filter(query)), last_event_id)


@stream_routes.get("/v1/batches/{batch_id}/stream")
async def batch_stream(request: Request, batch_id: str, last_event_id: Since = None) -> Response:
    """Send a notice of each change of one batch."""
    return await _batch_stream(request, decoded_id(batch_id), last_event_id)


@stream_routes.get("/v1/batches/stream")
async def batch_stream_by_query(request: Request, batch_id: str, last_event_id: Since = None) -> Response:
    """Send notices of one batch as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _batch_stream(request, batch_id, last_event_id)


async def _batch_stream(request: Request, batch_id: str, last_event_id: str | None) -> Response:
    principal = require_principal(request, READ)
    services = services_of(request)
    position = services.live.position()  # before the read, so that no change is missed
    found = await services.batches.find(batch_id)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    since = _since(request, last_event_id)
    response = _open(request, Interest(EVERYTHING, batch_id=batch_id), since or position)
    if since is None and response.client is not None:
        now = Changed(batch_id, found.version, found.status.value)
        response.client.offer(batch_event([now], 1, found.updated_ms, position))
    return response


def _open(request: Request, interest: Interest, last_event_id: str | None) -> EventStream:
    hub = services_of(request).live
    if request.scope["state"].get(HEAD):
        return EventStream(hub, None)
    return EventStream(hub, hub.open(interest, _since(request, last_event_id)))


def _since(request: Request, last_event_id: str | None) -> str | None:
    """Return the id from the header, which a browser sends when it connects again, or from the query."""
    return request.headers.get(_LAST_EVENT_ID) or last_event_id or None
