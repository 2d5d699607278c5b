"""The list of batches at `/batches`."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import READ, may_reach, visibility_of
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views.batches import BatchRow, Hint, batch_row, pager, rows_url
from api.dashboard.views.filters import Items, chips, given, list_views, query_of, without
from api.dashboard.views.links import list_url
from api.dashboard.views.own_views import MOST_NAME, VIEWS_COOKIE, read_views
from api.dashboard.views.stamp import Stamp
from api.dashboard.views.words import BATCH_STATUSES, PHASE_STATUSES
from api.dependencies import Services, require_principal, services_of
from api.errors import Problem
from api.queries.filters import NAMES, filter_query, parse_filter
from schemas.errors import InvalidCursor, InvalidFilter
from state.projection import BatchFilter, Visibility

router = page_router()
_PAGE = 50
_MOST_ROWS = 200
_MOST_HINTS = 5
_MOST_COUNTED = 1_000

Ids = Annotated[list[str], Query(max_length=_MOST_ROWS)]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/batches")
async def batches_page(request: Request, cursor: Cursor = None) -> Response:
    """Return the batches that a filter selects, the newest first."""
    principal = require_principal(request, READ)
    services, visible = services_of(request), visibility_of(principal)
    asked = request.query_params.multi_items()
    items = given(asked)
    if any(not value for _, value in asked):
        return RedirectResponse(list_url(query_of(items)), status_code=303)  # a form sends its empty fields too
    now_ms = now_of(request)
    filters = filter_of(items, now_ms)
    try:
        page = await services.lists.page(filters, visible, cursor, _PAGE, asked=tuple(items))
    except InvalidCursor as error:
        raise Problem(400, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    numbers = await services.lists.numbers(visible)
    lags = services.system.lags()
    own_views = read_views(request.cookies.get(VIEWS_COOKIE, ""))
    rows = [
        batch_row(each, services.whys.of(each, page.open_letters.get(each.batch_id, 0), lags=lags))
        for each in page.batches
    ]
    return render(
        request,
        "batches.html",
        active="batches",
        title="Batches",
        stream_url=f"/v1/stream?{_streamed(filters)}".rstrip("?"),
        now_ms=now_ms,
        rows=rows,
        rows_url=rows_url([row.batch_id for row in rows]),
        chips=chips(items),
        items=items,
        given=query_of(items),
        views=list_views(items, numbers.counts, NAMES),
        own_views=own_views,
        own_view=next((view for view in own_views if view.shows(items)), None),
        filter=urlencode(items),
        longest_name=MOST_NAME,
        phases=sorted(numbers.counts.phases),
        statuses=BATCH_STATUSES,
        phase_statuses=PHASE_STATUSES,
        pager=pager(items, len(rows), cursor, page.next_cursor),
        hints=[] if rows or cursor else await _hints(services, visible, items, now_ms),
        never_used=not numbers.counts.batches,
        stamp=Stamp(as_of_ms=page.as_of_ms or None, stale=page.stale or ""),
    )


@router.get("/batches/rows")
async def batch_rows(request: Request, id: Ids) -> Response:  # noqa: A002 - the name in the query
    """Return these rows of the list as they are now, in the order given; those that are gone are left out."""
    principal = require_principal(request, READ)
    services = services_of(request)
    rows: list[BatchRow] = []
    lags = services.system.lags()
    for batch_id in id:
        found = await services.batches.find(batch_id)
        if found is not None and may_reach(principal, found.owner_organisation, found.owner_subject):
            rows.append(batch_row(found, services.whys.of(found, lags=lags)))
    return render(request, "batch_rows.html", active="batches", title="Batches", rows=rows)


def filter_of(items: Items, now_ms: int) -> BatchFilter:
    """Return what a query selects. Raises `Problem` 400 for one that the list does not take."""
    try:
        return parse_filter(query_of(items), now_ms=now_ms)
    except InvalidFilter as error:
        raise Problem(
            400, error.code, error.message, next_step=error.next_step, error="This filter is not known"
        ) from error


async def _hints(services: Services, visible: Visibility, items: Items, now_ms: int) -> list[Hint]:
    """Return what each part of the filter hides, the most first."""
    found: list[tuple[int, Hint]] = []
    for place, chip in enumerate(chips(items)[:_MOST_HINTS]):
        rest = filter_of(without(items, place), now_ms)
        count = await services.lists.count(rest, visible, most=_MOST_COUNTED)
        if count:
            shown = f"more than {_MOST_COUNTED - 1:,}" if count >= _MOST_COUNTED else f"{count:,}"
            found.append((count, Hint(label=f"{chip.label} {chip.value}".strip(), count=shown, url=chip.without_url)))
    return [hint for _, hint in sorted(found, key=lambda each: -each[0])]


_NOT_STREAMED = ("attention", "created_from", "created_before", "updated_from", "updated_before", "due_before")


def _streamed(filters: BatchFilter) -> str:
    """Return the part of a filter that a stream can have: it sees one decision, not the clock."""
    query = [part for part in filter_query(filters).split("&") if part]
    return "&".join(part for part in query if part.partition("=")[0] not in _NOT_STREAMED)
