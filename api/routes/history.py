"""Routes of what was decided: a batch's history, its replay, and what came of requests to control batches."""

from collections.abc import Awaitable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api.auth import READ, may, may_reach, visibility_of
from api.dependencies import require_principal, services_of
from api.errors import Problem, batch_not_found, not_ready
from api.routes.conditional import conditional
from api.routes.decision_response import control_requests_body, history_body, replay_body
from api.routes.operations import decoded_id
from schemas.errors import InvalidCursor, OrchestratorError
from schemas.internal.enums import Disposition
from state.decision.requests import ANY_OWNER
from state.projection import HistoryPage

_MOST_DECISIONS = 500
history_routes = APIRouter(tags=["batches"])

Limit = Annotated[int, Query(ge=1, le=_MOST_DECISIONS)]
After = Annotated[str | None, Query(max_length=200)]
Dispositions = Annotated[
    list[Literal["unknown", "duplicate", "refused", "stale", "applied", "quarantined"]] | None,
    Query(alias="disposition", max_length=6, description="Only decisions with one of these dispositions."),
]


@history_routes.get("/v1/batches/{batch_id}/history")
async def history(
    request: Request, batch_id: str, after: After = None, limit: Limit = 100, dispositions: Dispositions = None
) -> Response:
    """Return what was decided on a batch, the oldest first, a page at a time (docs/http.md, history)."""
    return await _history(request, decoded_id(batch_id), after, limit, dispositions or ())


@history_routes.get("/v1/batches/history")
async def history_by_query(
    request: Request, batch_id: str, after: After = None, limit: Limit = 100, dispositions: Dispositions = None
) -> Response:
    """Return the history as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _history(request, batch_id, after, limit, dispositions or ())


@history_routes.get("/v1/batches/{batch_id}/replay")
async def replay(request: Request, batch_id: str) -> Response:
    """Decide a batch's inbox records again and compare with what was published (docs/http.md, history)."""
    return await _replay(request, decoded_id(batch_id))


@history_routes.get("/v1/batches/replay")
async def replay_by_query(request: Request, batch_id: str) -> Response:
    """Replay a batch as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _replay(request, batch_id)


@history_routes.get("/v1/control-requests")
async def control_requests(request: Request, after: After = None, limit: Limit = 100) -> Response:
    """Return what came of requests to cancel, pause, resume or retry, the newest first (docs/http.md, history)."""
    services, visible = services_of(request), visibility_of(require_principal(request, READ))
    page = await _read(
        services.projection.read(lambda reader: reader.control_requests(visible, after=after, limit=limit))
    )
    return conditional(request, control_requests_body(page))


async def _history(
    request: Request, batch_id: str, after: str | None, limit: int, dispositions: Sequence[str]
) -> Response:
    services = services_of(request)
    principal = require_principal(request, READ)
    found = await services.batches.find(batch_id)
    if found is not None and not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    if found is None and (not may(principal, ANY_OWNER) or "\x00" in batch_id):
        raise batch_not_found(batch_id)
    wanted = tuple(map(Disposition, dispositions))
    page = await _read(services.projection.history(batch_id, after=after, limit=limit, dispositions=wanted))
    if found is None and not page.records and after is None:
        raise batch_not_found(batch_id)
    return conditional(request, history_body(batch_id, page))


async def _replay(request: Request, batch_id: str) -> Response:
    services = services_of(request)
    principal = require_principal(request, READ)
    found = await services.batches.find(batch_id)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    result = await services.states.replay_of(batch_id)
    if result is None:
        raise batch_not_found(batch_id)
    return conditional(request, replay_body(batch_id, result))


async def _read(page: Awaitable[HistoryPage]) -> HistoryPage:
    try:
        return await page
    except InvalidCursor as error:
        raise Problem(400, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    except OrchestratorError as error:
        raise not_ready(f"The history cannot be read now: {error.message}") from error
