"""One decision on a batch, and the comparison of two of its versions."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.dashboard.pages.batch import reachable
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views.batches import title_of
from api.dashboard.views.decisions import decision_row
from api.dashboard.views.links import batch_url, decision_url
from api.dashboard.views.values import origin_facts, pretty, value_row
from api.dashboard.views.words import short_id
from api.dependencies import services_of
from api.explain.service import ExplainedDecision
from api.routes.operations import decoded_id

router = page_router()

Version = Annotated[int, Query(ge=0, lt=2**63)]
From = Annotated[int, Query(alias="from", ge=0, lt=2**63)]


@router.get("/batches/{batch_id}/decisions/{position}")
async def decision_page(request: Request, batch_id: str, position: int) -> Response:
    """Return a decision: its event, disposition, reason, what it changed and published, and its coordinates."""
    return await _decision(request, decoded_id(batch_id), position)


@router.get("/batch/decisions/{position}")
async def decision_page_by_query(request: Request, batch_id: str, position: int) -> Response:
    """Return a decision as above, for ids that browsers do not leave as they are in a path."""
    return await _decision(request, batch_id, position)


@router.get("/batches/{batch_id}/diff")
async def diff_page(request: Request, batch_id: str, start: From, to: Version) -> Response:
    """Return what differs between two versions of a batch."""
    return await _diff(request, decoded_id(batch_id), start, to)


@router.get("/batch/diff")
async def diff_page_by_query(request: Request, batch_id: str, start: From, to: Version) -> Response:
    """Return the differences as above, for ids that browsers do not leave as they are in a path."""
    return await _diff(request, batch_id, start, to)


async def _decision(request: Request, batch_id: str, position: int) -> Response:
    _, record = await reachable(request, batch_id)
    found: ExplainedDecision = await services_of(request).explain.decision(batch_id, position)
    return render(
        request,
        "decision.html",
        active="batches",
        title=f"Decision {position}",
        now_ms=now_of(request),
        batch_title=title_of(record),
        short=short_id(batch_id),
        back_url=batch_url(batch_id),
        row=decision_row(found.history),
        history=found.history,
        source=origin_facts(found.history.origin),
        event=None if found.event is None else pretty(found.event),
        changes=[value_row(each.path, each.before, each.after) for each in found.changes],
        differences=found.differences,
        previous_url=None if found.previous is None else decision_url(batch_id, found.previous),
        next_url=None if found.next is None else decision_url(batch_id, found.next),
        at_url=None if found.after is None else batch_url(batch_id, at=position),
    )


async def _diff(request: Request, batch_id: str, start: int, to: int) -> Response:
    _, record = await reachable(request, batch_id)
    found = await services_of(request).explain.diff(batch_id, start, to)
    return render(
        request,
        "diff.html",
        active="batches",
        title=f"Versions {start} and {to}",
        batch_title=title_of(record),
        short=short_id(batch_id),
        back_url=batch_url(batch_id),
        start=start,
        to=to,
        start_url=batch_url(batch_id, at=start),
        to_url=batch_url(batch_id, at=to),
        swap_url=batch_url(batch_id, "/diff", **{"from": to, "to": start}),
        changes=[value_row(each.path, each.before, each.after) for each in found],
    )
