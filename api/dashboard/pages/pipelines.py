"""Pipeline definitions: graph, live batches, usual times, versions in use and their differences."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import READ, may_reach, visibility_of
from api.dashboard.drawings.pipeline import pipeline_graph
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views import pipelines as views
from api.dashboard.views.links import batch_url
from api.dashboard.views.words import short_id
from api.dependencies import require_principal, services_of
from api.errors import batch_not_found
from schemas.internal.events import Principal
from schemas.internal.pipeline import PipelineDefinition
from state.batch import Batch
from state.projection import BatchFilter

router = page_router()
_ACTIVE = "pipelines"
_MOST_COUNTED = 10_000
_NEWEST = 200
Id = Annotated[str, Query(max_length=255)]


@router.get("/pipelines")
async def pipelines_page(request: Request) -> Response:
    """Return all definitions of the pipelines file."""
    require_principal(request, READ)
    definitions = services_of(request).pipelines.all()
    shown = [await _shown(request, each) for each in definitions.by_name.values()]
    return render(
        request, "pipelines.html", active=_ACTIVE, title="Pipelines", now_ms=now_of(request), shown=shown, one=False
    )


@router.get("/pipelines/what-if")
async def what_if(request: Request, batch: Id) -> Response:
    """Go to the page that tries a pipelines file on a batch, given any id of it or the first characters."""
    require_principal(request, READ)
    found = await services_of(request).lists.resolve(batch.strip())
    if found is None or found.batch_id is None:
        raise batch_not_found(batch)
    return RedirectResponse(batch_url(found.batch_id, "/what-if"), status_code=303)


@router.get("/pipelines/{name}")
async def pipeline_page(request: Request, name: str) -> Response:
    """Return one definition."""
    require_principal(request, READ)
    shown = [await _shown(request, services_of(request).pipelines.get(name))]
    return render(request, "pipelines.html", active=_ACTIVE, title=name, now_ms=now_of(request), shown=shown, one=True)


@router.get("/pipelines/{name}/diff")
async def diff_page(request: Request, name: str, batch: Id) -> Response:
    """Return what differs between the definition that a batch runs and that of the pipelines file."""
    principal = require_principal(request, READ)
    services = services_of(request)
    current = services.pipelines.get(name)
    await _require_visible(request, principal, batch)
    state = await services.states.state_of(batch)
    if state is None or state.pipeline.name != name:
        raise batch_not_found(batch)
    return _diff(request, state, current)


def _diff(request: Request, state: Batch, current: PipelineDefinition) -> Response:
    return render(
        request,
        "pipeline_diff.html",
        active=_ACTIVE,
        title=f"{current.name}: version {state.pipeline.version} and {current.version}",
        current=current,
        stamped=state.pipeline,
        back_url=views.pipeline_url(current.name),
        batch_url=batch_url(state.batch_id),
        batch_short=short_id(state.batch_id),
        rows=views.changed_rows(state.pipeline, current),
        before=pipeline_graph(state.pipeline),
        after=pipeline_graph(current),
    )


async def _shown(request: Request, definition: PipelineDefinition) -> dict[str, object]:
    """Return the view of a definition and its graph."""
    principal = require_principal(request, READ)
    services, visible = services_of(request), visibility_of(principal)
    filters = BatchFilter(pipeline=definition.name, ended=False)
    stats = await services.lists.stats(visible)
    live = await services.lists.count(filters, visible, most=_MOST_COUNTED)
    newest = await services.lists.page(filters, visible, limit=_NEWEST)
    loads = views.loads_of(stats.phases, stats.counts)
    view = views.pipeline_view(
        definition,
        default=services.pipelines.all().default_name == definition.name,
        loads=loads,
        live=live,
        most=_MOST_COUNTED,
        newest=newest.batches,
    )
    return {"view": view, "graph": pipeline_graph(definition, loads)}


async def _require_visible(request: Request, principal: Principal, batch_id: str) -> None:
    """Raise `Problem` 404 for a batch that does not exist, or that the reader may not see."""
    found = await services_of(request).batches.find(batch_id)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
