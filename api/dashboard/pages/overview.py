"""The overview at `/`."""

from fastapi import Request, Response

from api.auth import READ, visibility_of
from api.dashboard.drawings.sparkline import sparkline
from api.dashboard.drawings.status_bar import Part, proportion_bar
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views.overview import attention_summary, overview
from api.dashboard.views.stamp import Stamp
from api.dependencies import require_principal, services_of
from state.projection import BatchFilter

router = page_router()
_MOST_GROUPED = 100
"""Batches that need a person which are read to be grouped."""


@router.get("/")
async def overview_page(request: Request) -> Response:
    """Return what needs a person, what runs and how fast, and what is due."""
    principal = require_principal(request, READ)
    services, visible = services_of(request), visibility_of(principal)
    now_ms = now_of(request)
    stats = await services.lists.stats(visible)
    needing = await services.lists.page(BatchFilter(attention=True), visible, limit=_MOST_GROUPED, asked="attention")
    system = services.system.now()
    explained = [
        (each, services.whys.of(each, needing.open_letters.get(each.batch_id, 0), lags=system.lags))
        for each in needing.batches
    ]
    phases = [phase.name for each in services.pipelines.all().by_name.values() for phase in each.phases]
    view = overview(stats, explained, system, now_ms=now_ms, order=tuple(dict.fromkeys(phases)))
    return render(
        request,
        "overview.html",
        active="overview",
        title="Overview",
        stream_url="/v1/stream",
        refetch="batch from:body throttle:1s, reset from:body",
        now_ms=now_ms,
        view=view,
        headline=attention_summary(view),
        stamp=Stamp(as_of_ms=stats.as_of_ms or None, stale=needing.stale or ""),
        bar=proportion_bar([Part(label=part.tone.word, count=part.count, tone=part.tone.name) for part in view.parts]),
        sparkline=sparkline,
    )
