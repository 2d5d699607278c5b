"""Routes that list batches, and the one that returns everything known of a batch (docs/http.md, batches)."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from api.auth import LETTERS_READ, READ, may, may_reach, visibility_of
from api.dependencies import Services, require_principal, services_of
from api.errors import batch_not_found
from api.queries.filters import parse_filter
from api.routes.batch_response import batch_body, explained_body, list_body
from api.routes.conditional import conditional
from api.routes.explain import state_at
from api.routes.operations import decoded_id
from schemas.errors import OrchestratorError
from schemas.internal.events import Principal
from schemas.internal.status import StatusRecord
from state.projection import LetterFilter, LetterPage

MOST_LISTED = 200
_MOST_LETTERS = 50
_INLINE = 10
"""Batches that are explained on the event loop; more take milliseconds, for which registrations would wait."""
_threads = ThreadPoolExecutor(2, thread_name_prefix="lists")
_OWN_NAMES = frozenset({"limit", "cursor", "counts"})
_POST_ONLY = frozenset({"register", "what-if", "imagine", "cancel", "pause", "resume", "retry"})
"""Words after /v1/batches/ that only a POST can mean: no batch of that name is shown here."""
list_routes = APIRouter(tags=["batches"])

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
Cursor = Annotated[str | None, Query(max_length=200)]
Counts = Annotated[bool, Query()]
At = Annotated[int | None, Query(ge=0, lt=2**63, description="The batch's status as it was at this version.")]


@list_routes.get("/v1/batches")
async def list_batches(
    request: Request, cursor: Cursor = None, limit: Limit = 50, *, counts: Counts = False
) -> Response:
    """Return the batches that fit, the newest registration first, a page at a time."""
    services = services_of(request)
    visibility = visibility_of(require_principal(request, READ))
    given = _given(request)
    filters = parse_filter(given)
    asked = tuple(sorted((name, tuple(values)) for name, values in given.items()))
    page = await services.lists.page(filters, visibility, cursor, limit, asked=asked)
    numbers = await services.lists.counts(visibility) if counts else None
    lags = services.system.lags()

    def answer() -> Response:
        whys = [services.whys.of(batch, page.open_letters.get(batch.batch_id, 0), lags=lags) for batch in page.batches]
        return conditional(request, list_body(page, whys, numbers), unlike=("as_of",))

    if len(page.batches) <= _INLINE:
        return answer()
    return await asyncio.get_running_loop().run_in_executor(_threads, answer)


@list_routes.get("/v1/batches/{batch_id}/why")
async def get_why(request: Request, batch_id: str) -> Response:
    """Return why a batch is where it is, what comes next, and what can be done (docs/why.md)."""
    return await _why(request, decoded_id(batch_id))


@list_routes.get("/v1/batches/why")
async def get_why_by_query(request: Request, batch_id: str) -> Response:
    """Explain a batch as above, for ids that clients and proxies do not leave as they are in a path."""
    return await _why(request, batch_id)


@list_routes.get("/v1/batches/{batch_id}")
async def get_batch(request: Request, batch_id: str, at: At = None) -> Response:
    """Return everything known of a batch: its status, its open dead letters, and where more is to be found."""
    if batch_id in _POST_ONLY:
        raise HTTPException(405, headers={"Allow": "POST"})
    return await _batch(request, decoded_id(batch_id), at)


@list_routes.get("/v1/batch")
async def get_batch_by_query(request: Request, batch_id: str, at: At = None) -> Response:
    """Return a batch as above, for ids that do not come through a path, or are the word of another route."""
    return await _batch(request, batch_id, at)


async def _batch(request: Request, batch_id: str, at: int | None) -> Response:
    if at is not None:
        return await state_at(request, batch_id, at)
    services = services_of(request)
    principal = require_principal(request, READ)
    found = await _visible(services, principal, batch_id)
    letters = await _open_letters(services, batch_id)
    shown = letters if letters is not None and may(principal, LETTERS_READ) else None
    number = None if letters is None else len(letters.letters)
    return conditional(request, batch_body(found, services.whys.of(found, number or 0), number, shown))


async def _why(request: Request, batch_id: str) -> Response:
    services = services_of(request)
    found = await _visible(services, require_principal(request, READ), batch_id)
    letters = await _open_letters(services, batch_id)
    told = services.whys.of(found, 0 if letters is None else len(letters.letters))
    return conditional(request, explained_body(found, told))


async def _visible(services: Services, principal: Principal, batch_id: str) -> StatusRecord:
    found = await services.batches.find(batch_id)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    return found


async def _open_letters(services: Services, batch_id: str) -> LetterPage | None:
    """Return the first open dead letters of a batch, or None where the projection cannot be read."""
    if services.follower.projection_error is not None:
        return None  # at once: the poll has just asked in vain
    wanted = LetterFilter(batch_id=batch_id, state="open")
    try:
        return await services.projection.letters(lambda reader: reader.dead_letters(wanted, limit=_MOST_LETTERS))
    except OrchestratorError:
        return None


def _given(request: Request) -> Mapping[str, list[str]]:
    """Return the query's values by name, without those that are no filter."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in _OWN_NAMES:
            found.setdefault(name, []).append(value)
    return found
