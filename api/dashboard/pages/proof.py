"""Proving a batch by its own records: replaying it, and deciding them under another pipelines file."""

from fastapi import Request, Response

from api.dashboard.forms import read_form
from api.dashboard.pages.batch import reachable
from api.dashboard.rendering import now_of, render, wants_partial
from api.dashboard.routing import page_router
from api.dashboard.views.batches import title_of
from api.dashboard.views.links import batch_url
from api.dashboard.views.proof import proof_view, what_if_view
from api.dashboard.views.words import short_id
from api.dependencies import services_of
from api.errors import Problem, batch_not_found
from api.routes.operations import decoded_id

router = page_router()
_FILE_BYTES = 262_144
"""A form with a pipelines file."""


@router.get("/batches/{batch_id}/proof")
async def proof_page(request: Request, batch_id: str) -> Response:
    """Decide all inbox records of a batch again, and tell whether its state and history come out as published."""
    return await _proof(request, decoded_id(batch_id))


@router.get("/batch/proof")
async def proof_page_by_query(request: Request, batch_id: str) -> Response:
    """Replay a batch as above, for ids that browsers do not leave as they are in a path."""
    return await _proof(request, batch_id)


@router.get("/batches/{batch_id}/what-if")
async def what_if_form(request: Request, batch_id: str) -> Response:
    """Return the form that takes a pipelines file."""
    return await _what_if(request, decoded_id(batch_id), None)


@router.post("/batches/{batch_id}/what-if")
async def what_if_page(request: Request, batch_id: str) -> Response:
    """Decide a batch's records under another pipelines file, and tell what would have been decided otherwise."""
    return await _what_if(request, decoded_id(batch_id), await read_form(request, most_bytes=_FILE_BYTES))


@router.get("/batch/what-if")
async def what_if_form_by_query(request: Request, batch_id: str) -> Response:
    """Return the form as above, for ids that browsers do not leave as they are in a path."""
    return await _what_if(request, batch_id, None)


@router.post("/batch/what-if")
async def what_if_page_by_query(request: Request, batch_id: str) -> Response:
    """Answer what if as above, for ids that browsers do not leave as they are in a path."""
    return await _what_if(request, batch_id, await read_form(request, most_bytes=_FILE_BYTES))


async def _proof(request: Request, batch_id: str) -> Response:
    _, record = await reachable(request, batch_id)
    result = await services_of(request).states.replay_of(batch_id)
    if result is None:
        raise batch_not_found(batch_id)
    return render(
        request,
        "proof_part.html" if wants_partial(request) else "proof.html",
        active="batches",
        title="Replay",
        now_ms=now_of(request),
        batch_title=title_of(record),
        short=short_id(batch_id),
        back_url=batch_url(batch_id),
        proof=proof_view(batch_id, result),
    )


async def _what_if(request: Request, batch_id: str, form: dict[str, str] | None) -> Response:
    _, record = await reachable(request, batch_id)
    services = services_of(request)
    text = "" if form is None else form.get("pipelines", "")
    result, problem = None, None
    if text.strip():
        try:
            result = what_if_view(batch_id, await services.explain.what_if(batch_id, text))
        except Problem as refused:
            problem = refused
    return render(
        request,
        "what_if.html",
        active="batches",
        title="What if",
        status=200 if problem is None else problem.status,
        now_ms=now_of(request),
        batch_title=title_of(record),
        short=short_id(batch_id),
        back_url=batch_url(batch_id),
        action_url=batch_url(batch_id, "/what-if"),
        text=text,
        result=result,
        problem=problem,
        pipeline=f"{record.pipeline} version {record.pipeline_version}",
    )
