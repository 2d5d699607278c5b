"""The actions on a batch: what would be decided, and having it decided. Each works without a script.

A GET previews the decision and asks; a POST has it decided. With a script the same pages are the content of a dialog.
"""

from typing import Annotated
from uuid import uuid4

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import WRITE, may
from api.control.preview import Preview
from api.control.refusals import refusal
from api.control.service import Controlled, ControlRequest
from api.dashboard.forms import read_form, text_field
from api.dashboard.pages.batch import reachable
from api.dashboard.rendering import render, wants_partial
from api.dashboard.routing import page_router
from api.dashboard.views.actions import ACTIONS, meaning, preview_view, question
from api.dashboard.views.links import batch_url, decision_url
from api.dashboard.views.words import batch_tone, short_id
from api.dependencies import require_principal, services_of
from api.errors import Problem
from api.routes.operations import counted, decoded_id
from schemas.errors import Code
from schemas.internal.enums import Disposition
from schemas.internal.status import StatusRecord
from schemas.public.control import MAX_REASON
from schemas.public.requests import RequestKind
from state.decision.records import status_record

router = page_router()

Phase = Annotated[str, Query(max_length=255)]
Essays = Annotated[str, Query(pattern="^(failed|all|)$")]


@router.get("/batches/{batch_id}/actions/{name}")
async def preview_action(
    request: Request, batch_id: str, name: str, phase: Phase = "", essays: Essays = ""
) -> Response:
    """Return what would come of an action now, and a form that has it decided."""
    return await _preview(request, decoded_id(batch_id), name, phase, essays)


@router.get("/batch/actions/{name}")
async def preview_action_by_query(
    request: Request, batch_id: str, name: str, phase: Phase = "", essays: Essays = ""
) -> Response:
    """Return the preview as above, for ids that browsers do not leave as they are in a path."""
    return await _preview(request, batch_id, name, phase, essays)


@router.post("/batches/{batch_id}/actions/{name}")
async def take_action(request: Request, batch_id: str, name: str) -> Response:
    """Have an action decided, and answer with the decision."""
    return await _take(request, decoded_id(batch_id), name)


@router.post("/batch/actions/{name}")
async def take_action_by_query(request: Request, batch_id: str, name: str) -> Response:
    """Have an action decided as above, for ids that browsers do not leave as they are in a path."""
    return await _take(request, batch_id, name)


async def _preview(request: Request, batch_id: str, name: str, phase: str, essays: str) -> Response:
    kind = _kind(name)
    _, record = await reachable(request, batch_id)
    body = _body(kind, phase, essays, "")
    services = services_of(request)
    with services.controls:
        found = await services.control.preview(_asked(request, kind, batch_id, body, None))
    return _form(request, record, name, phase, essays, found)


def _form(
    request: Request,
    record: StatusRecord,
    name: str,
    phase: str,
    essays: str,
    found: Preview | None,
    problem: Problem | None = None,
    reason: str = "",
) -> Response:
    view = None
    told = None
    if found is not None:
        view = preview_view(status_record(found.before), found.after, found.history, found.effects)
        told = None if found.disposition is Disposition.APPLIED else refusal(found.reason)
    return render(
        request,
        "action.html",
        active="batches",
        title=question(name, phase).removesuffix("?"),
        status=200 if problem is None else problem.status,
        name=name,
        question=question(name, phase),
        meaning=meaning(name),
        batch_tone=batch_tone(record),
        short=short_id(record.batch_id),
        batch_id=record.batch_id,
        essays_total=record.counts.ready or record.counts.expected,
        phase=phase,
        essays=essays,
        preview=view,
        refusal=told,
        problem=problem,
        reason=reason,
        key=str(uuid4()),
        most_reason=MAX_REASON,
        may_write=may(require_principal(request, "batches:read"), WRITE),
        back_url=batch_url(record.batch_id),
        action_url=batch_url(record.batch_id, f"/actions/{name}"),
    )


async def _take(request: Request, batch_id: str, name: str) -> Response:
    kind = _kind(name)
    form = await read_form(request)
    phase, essays, reason = (text_field(form, field) for field in ("phase", "essays", "reason"))
    _, record = await reachable(request, batch_id)
    body = _body(kind, phase, essays, reason)
    version = form.get("if_version", "")
    if version.isdecimal() and len(version) < 16:
        body["if_version"] = int(version)
    asked = _asked(request, kind, batch_id, body, text_field(form, "key") or None)
    services = services_of(request)
    try:
        with counted(request, f"{kind}_batch"), services.controls:
            done = await services.control.control(asked)
    except Problem as problem:
        if problem.status not in {409, 412, 422}:
            raise
        _, record = await reachable(request, batch_id)
        return _form(request, record, name, phase, essays, None, problem, reason)
    return _done(request, batch_id, name, done)


def _done(request: Request, batch_id: str, name: str, done: Controlled) -> Response:
    """Answer with the decision: in a dialog as its content, otherwise by leading to its page."""
    url = decision_url(batch_id, done.answer.version)
    if not wants_partial(request):
        return RedirectResponse(url, status_code=303)
    return render(
        request,
        "action_done.html",
        active="batches",
        title="Decided",
        name=name,
        short=short_id(batch_id),
        tone=None if done.batch is None else batch_tone(done.batch),
        repeated=done.first.repeated,
        version=done.answer.version,
        decision_url=url,
        back_url=batch_url(batch_id),
    )


def _kind(name: str) -> RequestKind:
    if name not in ACTIONS:
        raise Problem(
            404, Code.NO_ROUTE, "There is no such action.", next_step="Go back to the batch.", error="Not found"
        )
    return RequestKind(name)


def _body(kind: RequestKind, phase: str, essays: str, reason: str) -> dict[str, object]:
    body: dict[str, object] = {"reason": reason} if reason else {}
    if kind is RequestKind.RETRY:
        body |= {"phase": phase, "essays": essays or "failed"}
    return body


def _asked(
    request: Request, kind: RequestKind, batch_id: str, body: dict[str, object], key: str | None
) -> ControlRequest:
    return ControlRequest(
        kind=kind,
        batch_id=batch_id,
        body=body,
        principal=require_principal(request, WRITE),
        correlation_id=request.state.correlation_id,
        key=key,
        size=0,
    )
