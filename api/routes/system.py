"""Routes about the whole: numbers of all batches, the running system, pipeline definitions, and looking up an id."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import LETTERS_READ, READ, may, may_reach, visibility_of
from api.dependencies import Services, require_principal, services_of
from api.errors import Problem
from api.paths import decode_segment, resource_path
from api.routes.conditional import conditional
from api.routes.system_bodies import Pipeline, PipelineList
from api.routes.system_response import pipeline_body, stats_body, system_body
from schemas.errors import Code
from schemas.internal.events import Principal
from schemas.internal.pipeline import PipelineDefinition
from state.decision.requests import ANY_OWNER
from state.projection import BatchFilter, IdKind, Resolved, Usual, Visibility

_MOST_COUNTED = 10_000
_LONGEST_ID = 255
system_routes = APIRouter(tags=["system"])

Sought = Annotated[str, Query(min_length=1, max_length=1_000)]


@system_routes.get("/v1/stats")
async def stats(request: Request) -> Response:
    """Return what runs, how fast it drains, and what is due, over all batches that the caller may see."""
    visibility = visibility_of(require_principal(request, READ))
    lists = services_of(request).lists
    found = await lists.stats(visibility)
    return conditional(request, stats_body(found, lists.stale), unlike=("now", "as_of"))


@system_routes.get("/v1/system")
async def system(request: Request) -> Response:
    """Return the processes, the partitions that they read, their lag in seconds, and what is wrong."""
    require_principal(request, READ)
    return conditional(request, system_body(services_of(request).system.now()), unlike=("as_of",))


@system_routes.delete("/v1/system/processes/{kind}/{instance}", status_code=204)
async def forget_process(request: Request, kind: str, instance: str) -> Response:
    """Forget a process that was removed for good, which is missing otherwise for a day."""
    principal = require_principal(request, ANY_OWNER)
    await services_of(request).forgetting.forget(f"{_decoded(kind)}/{_decoded(instance)}", principal)
    return Response(status_code=204)


@system_routes.get("/v1/pipelines")
async def list_pipelines(request: Request) -> Response:
    """Return the pipeline definitions, with how many live batches run each and how long their phases take."""
    visibility = visibility_of(require_principal(request, READ))
    services = services_of(request)
    known = services.pipelines.all()
    bodies = [await _described(services, visibility, each, known.default_name) for each in known.by_name.values()]
    return conditional(request, PipelineList(pipelines=bodies, stale=services.lists.stale))


@system_routes.get("/v1/pipelines/{name}")
async def get_pipeline(request: Request, name: str) -> Response:
    """Return one pipeline definition."""
    visibility = visibility_of(require_principal(request, READ))
    services = services_of(request)
    found = services.pipelines.get(_decoded(name))
    return conditional(request, await _described(services, visibility, found, services.pipelines.all().default_name))


@system_routes.get("/go/{anything}", status_code=303)
async def go(request: Request, anything: str) -> Response:
    """Redirect to what an id, or a unique prefix of at least 6 characters, stands for.

    A browser gets to the page, any other client to the resource. Ids of batches, correlations, requests, events and
    dead letters are known.
    """
    return await _go(request, _decoded(anything))


@system_routes.get("/go", status_code=303)
async def go_by_query(request: Request, q: Sought) -> Response:
    """Redirect as above, for forms, and for ids that do not come through a path."""
    return await _go(request, q)


async def _described(
    services: Services, visibility: Visibility, definition: PipelineDefinition, default_name: str
) -> Pipeline:
    """Return the body of a definition; the numbers in it are None where the projection cannot be read."""
    usual: Mapping[str, Usual] = {}
    live: int | None = None
    try:
        live_ones = BatchFilter(pipeline=definition.name, ended=False)
        live = await services.lists.count(live_ones, visibility, most=_MOST_COUNTED)
        usual = await services.lists.usuals()
    except Problem:
        pass
    return pipeline_body(definition, usual=usual, live=live, is_default=definition.name == default_name)


async def _go(request: Request, text: str) -> Response:
    principal = require_principal(request, READ)
    services = services_of(request)
    sought = text.strip()
    if len(sought) <= _LONGEST_ID and "\x00" not in sought:
        found = await _resolve(services, principal, sought)
        if found is not None:
            page, resource = _places(found)
            wanted = page if "text/html" in request.headers.get("accept", "") else resource
            return RedirectResponse(wanted, 303, headers={"Cache-Control": "no-store", "Vary": "Accept"})
    raise Problem(
        404,
        Code.ID_NOT_FOUND,
        "Nothing that you may see has this id, and it is no unique beginning of one.",
        next_step="Give the whole id, or at least 6 characters with which only one id begins.",
        error="Id not found",
    )


async def _resolve(services: Services, principal: Principal, text: str) -> Resolved | None:
    """Return what the caller may see under an id; a batch that the projection does not have yet is found in the log."""
    batch = services.batches.held(text)
    found = Resolved(kind=IdKind.BATCH, id=text, batch_id=text) if batch else await services.lists.resolve(text)
    if found is None:
        return None
    if found.batch_id is None or found.kind is IdKind.DEAD_LETTER:
        return found if may(principal, LETTERS_READ) else None
    owned = batch or await services.batches.find(found.batch_id)
    if owned is None or not may_reach(principal, owned.owner_organisation, owned.owner_subject):
        return None
    return found


def _places(found: Resolved) -> tuple[str, str]:
    """Return the paths of the page and of the resource of what was found."""
    if found.kind is IdKind.DEAD_LETTER or found.batch_id is None:
        name = quote(found.id, safe="")
        return f"/dead-letters/{name}", f"/v1/dead-letters/{name}"
    return f"/batches/{quote(found.batch_id, safe='')}", resource_path(found.batch_id)


def _decoded(segment: str) -> str:
    try:
        return decode_segment(segment)
    except UnicodeDecodeError:
        return segment
