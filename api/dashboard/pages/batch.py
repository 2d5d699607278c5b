"""The page of one batch at `/batches/ID`."""

from typing import Annotated, NamedTuple

from fastapi import Query, Request, Response

from api.auth import LETTERS_READ, READ, may, may_reach, visibility_of
from api.dashboard.drawings.timeline import phase_timeline
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views.batch import MOST_ESSAYS, LetterRow, Past, batch_view, letter_row
from api.dashboard.views.decisions import decision_groups, decision_row, position_of
from api.dashboard.views.links import api_url, batch_url, decision_url
from api.dashboard.views.stamp import Stamp
from api.dependencies import Services, require_principal, services_of
from api.errors import Problem, batch_not_found
from api.routes.operations import decoded_id
from schemas.errors import InvalidCursor, OrchestratorError
from schemas.internal.enums import Disposition
from schemas.internal.events import Principal
from schemas.internal.history import HistoryRecord
from schemas.internal.status import StatusRecord
from state.projection import LetterFilter

router = page_router()
PAGE = 100
"""Decisions on a page."""
_MOST_LETTERS = 20

At = Annotated[int | None, Query(ge=0, lt=2**63)]
Before = Annotated[str | None, Query(max_length=200)]


class Decisions(NamedTuple):
    """A page of the decisions on a batch, the newest first."""

    records: tuple[HistoryRecord, ...] = ()
    next_cursor: str | None = None
    problem: str = ""
    """Why they cannot be read now; empty where they were read."""


@router.get("/batches/{batch_id}")
async def batch_page(request: Request, batch_id: str, at: At = None, before: Before = None) -> Response:
    """Return a batch as it is, or as it was at a version: why, phases, decisions, essays, dead letters, coordinates."""
    return await _batch_page(request, decoded_id(batch_id), at, before)


@router.get("/batch")
async def batch_page_by_query(request: Request, batch_id: str, at: At = None, before: Before = None) -> Response:
    """Return a batch as above, for ids that browsers do not leave as they are in a path."""
    return await _batch_page(request, batch_id, at, before)


async def reachable(request: Request, batch_id: str) -> tuple[Principal, StatusRecord]:
    """Return the caller and the batch's newest snapshot. Raises `Problem` 404 for one that may not be seen."""
    principal = require_principal(request, READ)
    found = await services_of(request).batches.find(batch_id)
    if found is None or not may_reach(principal, found.owner_organisation, found.owner_subject):
        raise batch_not_found(batch_id)
    return principal, found


async def _batch_page(request: Request, batch_id: str, at: int | None, before: str | None) -> Response:
    principal, present = await reachable(request, batch_id)
    services, now_ms = services_of(request), now_of(request)
    shown = present if at is None else await services.explain.at(batch_id, at)
    letters = await _letters(services, principal, batch_id)
    decisions = await _decisions(services, batch_id, before)
    if at is None:
        why = services.whys.of(shown, sum(letter.open for letter in letters.rows))
    else:
        why = services.whys.of(shown, lags=(), now_ms=shown.updated_ms)
    view = batch_view(shown, why)
    newest = decisions.records[0] if decisions.records else None
    return render(
        request,
        "batch.html",
        active="batches",
        title=f"{view.title or 'Batch'} {view.short}",
        stream_url="" if at is not None else api_url(batch_id, "stream"),
        refetch="" if at is not None else "batch from:body throttle:500ms, reset from:body",
        now_ms=now_ms,
        view=view,
        past=None if at is None else Past(time_ms=shown.updated_ms, present_url=batch_url(batch_id)),
        timeline=_timeline(services, shown, decisions.records, now_ms if at is None else shown.updated_ms),
        decisions=decision_groups(decisions.records),
        decisions_problem=decisions.problem,
        decisions_summary=f"{len(decisions.records)} decisions",
        older_url=batch_url(batch_id, before=decisions.next_cursor) if decisions.next_cursor else "",
        newest_url=batch_url(batch_id) if before else "",
        letters=letters,
        most_essays=MOST_ESSAYS,
        versions=_versions(decisions.records),
        place=newest,
        self_path=batch_url(batch_id),
        diff_url=batch_url(batch_id, "/diff"),
        proof_url=batch_url(batch_id, "/proof"),
        what_if_url=batch_url(batch_id, "/what-if"),
        fixture_url=api_url(batch_id, "fixture"),
        json_url=api_url(batch_id, "status"),
        stamp=await _stamp(services, principal, present),
    )


async def _stamp(services: Services, principal: Principal, present: StatusRecord) -> Stamp:
    """Return how new the page is: the batch comes from the log, everything else from the projection."""
    try:
        numbers = await services.lists.numbers(visibility_of(principal))
    except Problem as problem:
        return Stamp(as_of_ms=present.updated_ms, stale=f"{problem.message} The batch itself was read from the log.")
    return Stamp(as_of_ms=max(numbers.as_of_ms, present.updated_ms), stale=numbers.stale or services.lists.stale or "")


async def _decisions(services: Services, batch_id: str, before: str | None) -> Decisions:
    try:
        page = await services.projection.read(
            lambda reader: reader.history(batch_id, after=before, limit=PAGE + 1, newest_first=True)
        )
    except InvalidCursor as error:
        raise Problem(400, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    except OrchestratorError as error:
        return Decisions(problem=f"{error.message} The batch itself was read from the log.")
    return Decisions(page.records, page.next_cursor if len(page.records) >= PAGE else None)


class Letters(NamedTuple):
    """The dead letters of a batch."""

    rows: tuple[LetterRow, ...] = ()
    problem: str = ""
    """Why none can be shown, as a sentence; empty where they were read."""


async def _letters(services: Services, principal: Principal, batch_id: str) -> Letters:
    if not may(principal, LETTERS_READ):
        return Letters(problem="Only operators see dead letters, which can be of any owner.")
    try:
        page = await services.projection.letters(
            lambda reader: reader.dead_letters(LetterFilter(batch_id=batch_id), limit=_MOST_LETTERS)
        )
    except OrchestratorError as error:
        return Letters(problem=f"They cannot be read now: {error.message}")
    return Letters(tuple(map(letter_row, page.letters)))


def _timeline(services: Services, record: StatusRecord, records: tuple[HistoryRecord, ...], now_ms: int) -> str:
    usual = services.whys.usual()
    return phase_timeline(
        record,
        [each for each in reversed(records) if each.time_ms <= now_ms],
        now_ms=now_ms,
        definition=services.pipelines.of(record.pipeline, record.pipeline_version),
        usual_ms={name: each.p50_ms for name, each in usual.items()},
        decision_href=decision_url(record.batch_id, 0).replace("/decisions/0", "/decisions/{version}"),
    )


def _versions(records: tuple[HistoryRecord, ...]) -> tuple[object, ...]:
    """Return the decisions that changed the batch: each is a version that can be looked at."""
    return tuple(
        decision_row(each) for each in records if each.disposition is Disposition.APPLIED and position_of(each)
    )
