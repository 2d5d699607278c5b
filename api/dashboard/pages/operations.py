"""What people asked for: bulk operations, one of them, a new one with its preview, and single requests."""

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import LETTERS_WRITE, READ, WRITE, may, visibility_of
from api.dashboard.drawings.status_bar import proportion_bar
from api.dashboard.forms import read_form, text_field
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views import operations as views
from api.dashboard.views.requests import request_rows
from api.dependencies import require_principal, services_of
from api.errors import Problem, invalid_body
from schemas.errors import Code, InvalidRequest, OrchestratorError
from schemas.internal.events import Principal
from schemas.public.control import MAX_REASON
from schemas.public.operations import OperationBody, parse_operation
from state.projection import HistoryPage

router = page_router()
_ACTIVE = "operations"
_MOST_LISTED = 100
_MOST_REQUESTS = 200
_FORM_BYTES = 524_288
_PREVIEW = "preview of a bulk operation"
"""Reason of a dry run, which is written nowhere."""
Ids = Annotated[list[str], Query(max_length=1_000)]
Text = Annotated[str, Query(max_length=255)]


@router.get("/operations")
async def operations_page(request: Request) -> Response:
    """Return the operations and the requests to control single batches, the newest first."""
    principal = require_principal(request, READ)
    services, visible = services_of(request), visibility_of(principal)
    operations = services.operations
    found = operations.list(principal)
    try:
        requests = await services.projection.read(lambda reader: reader.control_requests(visible, limit=_MOST_REQUESTS))
        unreadable = ""
    except OrchestratorError as error:
        requests, unreadable = HistoryPage((), None), error.message
    rows = [
        views.operation_row(record, stopping=operations.registry.stop_of(record.operation_id) is not None)
        for record in found[:_MOST_LISTED]
    ]
    return render(
        request,
        "operations.html",
        active=_ACTIVE,
        title="Operations",
        now_ms=now_of(request),
        refetch="every 2s" if any(row.ended_ms is None for row in rows) else "batch from:body throttle:2s",
        stream_url="/v1/stream",
        rows=[(row, proportion_bar(row.parts)) for row in rows],
        more=max(0, len(found) - _MOST_LISTED),
        requests=request_rows(requests.records),
        more_requests=requests.next_cursor is not None,
        unreadable=unreadable,
    )


@router.get("/operations/new")
async def new_operation(
    request: Request,
    action: Text,
    of: Text = "selected",
    id: Ids = [],  # noqa: A002, B006 - the name in the query; FastAPI copies it
    phase_to_retry: Text = "",
    essays: Text = "failed",
) -> Response:
    """Return what would be decided on the selected items, or on all that fit, with the form that begins it."""
    principal = require_principal(request, READ)
    filters = views.filter_fields(request.query_params.multi_items())
    ids = list(id) if of == "selected" else []
    if of == "selected" and not ids:
        raise _nothing_selected()
    return await _form(request, principal, action, filters, ids, phase_to_retry, essays)


@router.post("/operations")
async def begin(request: Request) -> Response:
    """Begin an operation, and go to its page."""
    form = await read_form(request, most_bytes=_FORM_BYTES)
    action, ids = text_field(form, "action"), form.get("ids", "").split()
    principal = require_principal(request, LETTERS_WRITE if action.endswith("dead-letters") else WRITE)
    filters = views.filter_fields(parse_qsl(form.get("filter", "")))
    phase, essays = text_field(form, "phase_to_retry"), form.get("essays", "failed")
    reason, fits = text_field(form, "reason"), text_field(form, "fits")
    operations = services_of(request).operations
    many = not fits.isdecimal() or int(fits) > views.ASK_NUMBER_ABOVE
    if many and text_field(form, "number").replace(",", "") != fits:
        fault = f"Type {fits} to confirm."
        return await _form(request, principal, action, filters, ids, phase, essays, fault=fault)
    body = _asked(action, filters, ids, phase, essays, reason)
    record = await operations.start(body, principal, form.get("key") or None)
    return RedirectResponse(views.operation_url(record.operation_id), status_code=303)


@router.get("/operations/{operation_id}")
async def operation_page(request: Request, operation_id: str) -> Response:
    """Return one operation: how far it is, and its results by disposition and reason."""
    principal = require_principal(request, READ)
    operations = services_of(request).operations
    record = await operations.get(operation_id, principal)
    stopping = operations.registry.stop_of(record.operation_id) is not None
    row = views.operation_row(record, stopping=stopping)
    return render(
        request,
        "operation.html",
        active=_ACTIVE,
        title=row.title,
        now_ms=now_of(request),
        refetch="" if record.state.ended else "every 1s",
        row=row,
        bar=proportion_bar(row.parts),
        items_url=views.items_url(record),
        may_stop=row.stoppable and may(principal, WRITE),
        stop_url=views.operation_url(record.operation_id, "/stop"),
    )


@router.post("/operations/{operation_id}/stop")
async def stop(request: Request, operation_id: str) -> Response:
    """Have an operation end after the items in work, and return to its page."""
    principal = require_principal(request, WRITE)
    await read_form(request)
    await services_of(request).operations.stop(operation_id, principal)
    return RedirectResponse(views.operation_url(operation_id), status_code=303)


async def _form(
    request: Request,
    principal: Principal,
    action: str,
    filters: tuple[tuple[str, str], ...],
    ids: list[str],
    phase: str,
    essays: str,
    *,
    fault: str = "",
) -> Response:
    """Return the form; a retry asks for its phase before it can be previewed."""
    services = services_of(request)
    ask_phase = action == "retry" and not phase
    preview: views.DryRunView | None = None
    if not ask_phase:
        body = _asked(action, filters, ids, phase, essays, _PREVIEW)
        preview = views.dry_run_view(await services.operations.dry_run(body, principal))
    definitions = services.pipelines.all().by_name.values()
    phases = sorted({phase.name for definition in definitions for phase in definition.phases})
    shown = _title(action, phase, essays)
    return render(
        request,
        "operation_new.html",
        active=_ACTIVE,
        title=shown,
        status=400 if fault else 200,
        action=action,
        shown=shown,
        selection=views.selection_text(filters, ids),
        filters=filters,
        filter_text=urlencode(filters),
        ids=ids,
        phase=phase,
        essays=essays,
        phases=phases,
        ask_phase=ask_phase,
        preview=preview,
        bar=None if preview is None else proportion_bar(preview.parts),
        fault=fault,
        reason_length=MAX_REASON,
        key=request.state.correlation_id,
        destructive=action in ("cancel", "discard-dead-letters"),
    )


def _nothing_selected() -> Problem:
    return Problem(
        400,
        Code.BAD_REQUEST,
        "No batch is selected.",
        next_step="Go back and select some, or preview the action for all that fit the filter.",
        error="Nothing selected",
    )


def _title(action: str, phase: str, essays: str) -> str:
    body = _asked(action, (), ["none"], phase or "a phase", essays, _PREVIEW)
    return views.title_of(body.kind, body.phase or "", essays)


def _asked(
    action: str, filters: tuple[tuple[str, str], ...], ids: list[str], phase: str, essays: str, reason: str
) -> OperationBody:
    """Return what is asked for. Raises `Problem` 400 for something that no operation is."""
    members: dict[str, Any] = {"action": action, "reason": reason, "essays": essays}
    members |= {"ids": ids} if ids else {"filter": urlencode(filters)}
    if action == "retry":
        members["phase"] = phase
    try:
        return parse_operation(members)
    except InvalidRequest as error:
        problem: Problem = invalid_body(error)
        raise problem from error
