"""Routes of live updates: a stream of one batch, and of the batches that fit a filter (docs/live.md)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.admission import HEAD
from api.auth import READ, may_reach
from api.dependencies import require_principal, services_of
from api.errors import batch_not_found
from api.live.events import Changed, batch_event
from api.live.matching import Interest, StreamFilter, Viewer
from api.live.position import MOST_CHARACTERS
from api.live.response import EventStream
from api.routes.operations import decoded_id
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.internal.events import Principal
from state.decision.requests import ANY_OWNER

stream_routes = APIRouter(tags=["live updates"])
_LAST_EVENT_ID = "last-event-id"

Since = Annotated[str | None, Query(max_length=MOST_CHARACTERS)]
Text = Annotated[str | None, Query(min_length=1, max_length=255)]


def _filters(  # noqa: PLR0913 - one for each name
    *,
    status: Annotated[tuple[str, ...], Query()] = (),
    phase: Text = None,
    phase_status: Text = None,
    owner: Text = None,
    organisation: Text = None,
    user: Text = None,
    course: Text = None,
    pipeline: Text = None,
    stalled: bool | None = None,
    held: bool | None = None,
    paused: bool | None = None,
    ended: bool | None = None,
) -> StreamFilter:
    return StreamFilter(
        status=tuple(BatchStatus(each) for each in status),
        phase=phase,
        phase_status=None if phase_status is None else PhaseStatus(phase_status),
        owner=owner,
        organisation=organisation,
        user=user,
        course=course,
        pipeline=pipeline,
        stalled=stalled,
        held=held,
        paused=paused,
        ended=ended,
    )


Filters = Annotated[StreamFilter, Depends(_filters)]


@stream_routes.get("/v1/stream")
async def stream(request: Request, filters: Filters, last_event_id: Since = None) -> Response:
    """Send notices of the batches that fit, as they are decided."""
    principal = require_principal(request, READ)
    return _open(request, Interest(_viewer(principal), filters), last_event_id)


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
    response = _open(request, Interest(_viewer(principal), batch_id=batch_id), since or position)
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


def _viewer(principal: Principal) -> Viewer:
    if ANY_OWNER in principal.scopes:
        return Viewer(every_owner=True)
    return Viewer(every_owner=False, organisation=principal.organisation, subject=principal.subject)
