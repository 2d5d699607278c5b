"""Dead letters: groups and rows, and what can be done with a group."""

from typing import Annotated

from fastapi import Query, Request, Response
from msgspec import Struct
from msgspec.structs import replace

from api.auth import LETTERS_READ, LETTERS_WRITE, may
from api.dashboard.drawings.status_bar import proportion_bar
from api.dashboard.forms import read_form
from api.dashboard.pages.dead_letter import name_of, note_of, state_after
from api.dashboard.rendering import now_of, render
from api.dashboard.routing import page_router
from api.dashboard.views import dead_letters as views
from api.dashboard.views.stamp import Stamp
from api.dependencies import require_principal, services_of
from api.errors import Problem
from api.letters.refusals import unreadable
from api.letters.service import Act
from schemas.errors import InvalidCursor, OrchestratorError
from schemas.internal.dead_letters import MAX_NOTE, OPEN, REPLAYED, STATES
from state.projection import LetterFilter, LetterGroup, LetterPage, LetterReader

router = page_router()
_ACTIVE = "dead-letters"
_PAGE = 50
Text = Annotated[str, Query(max_length=255)]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/dead-letters")
async def dead_letters_page(
    request: Request, code: Text = "", topic: Text = "", batch: Text = "", state: Text = OPEN, cursor: Cursor = None
) -> Response:
    """Return the groups of dead letters and the newest of them."""
    principal = require_principal(request, LETTERS_READ)
    state = state if state in views.STATES else OPEN
    filters = _filters(code, topic, batch, state)
    listed = await _listed(request, filters, cursor)
    query = {"code": code, "topic": topic, "batch": batch, "state": None if state == OPEN else state}
    older = listed.page.next_cursor
    return render(
        request,
        "dead_letters.html",
        active=_ACTIVE,
        title="Dead letters",
        stamp=Stamp(as_of_ms=now_of(request)),
        tabs=views.tabs(listed.counts, state, code=code, topic=topic),
        groups=[views.group_row(group, state) for group in listed.groups],
        rows=[views.letter_row(stored) for stored in listed.page.letters],
        chosen={name: value for name, value in query.items() if value and name != "state"},
        state=state,
        all_url=views.list_url(state=query["state"]),
        newest_url=views.list_url(**query) if cursor else "",
        older_url=views.list_url(**query, cursor=older) if older else "",
        may_work=may(principal, LETTERS_WRITE),
    )


@router.get("/dead-letters/groups/{act}")
async def group_page(
    request: Request, act: str, code: Text = "", topic: Text = "", batch: Text = "", state: Text = OPEN
) -> Response:
    """Return what would become of a group, with the form that does it."""
    require_principal(request, LETTERS_WRITE)
    filters = _filters(code, topic, batch, state if state in STATES else OPEN)
    preview, count = None, 0
    if state_after(act) == REPLAYED:
        preview = views.group_preview_view(await services_of(request).letters.preview_group(filters, None))
        count = preview.matched
    else:
        count, _ = await services_of(request).letters.select(filters, None)
    return _group_form(request, act, filters, count=count, preview=preview)


@router.post("/dead-letters/groups/{act}")
async def work_group(
    request: Request, act: str, code: Text = "", topic: Text = "", batch: Text = "", state: Text = OPEN
) -> Response:
    """Replay or discard a group, and return what became of it."""
    principal = require_principal(request, LETTERS_WRITE)
    form = await read_form(request)
    filters = _filters(code, topic, batch, state if state in STATES else OPEN)
    letters = services_of(request).letters
    count, _ = await letters.select(filters, None)
    if count > views.ASK_NUMBER_ABOVE and form.get("number", "").replace(",", "").strip() != str(count):
        return _group_form(request, act, filters, count=count, preview=None, fault=f"Type {count:,} to confirm.")
    worked = await letters.work_group(filters, None, Act(state_after(act), name_of(principal), note_of(form)))
    return render(
        request,
        "dead_letters_worked.html",
        active=_ACTIVE,
        title="Dead letters",
        worked=views.worked_view(worked, state_after(act)),
        group=views.group_name(filters),
        act=act,
        back_url=views.list_url(),
    )


class _Listed(Struct, frozen=True):
    page: LetterPage
    groups: tuple[LetterGroup, ...]
    counts: dict[str, int]


async def _listed(request: Request, filters: LetterFilter, cursor: str | None) -> _Listed:
    def read(reader: LetterReader) -> _Listed:
        return _Listed(
            reader.dead_letters(filters, cursor=cursor, limit=_PAGE),
            reader.dead_letter_groups(filters),
            {state: reader.count_dead_letters(replace(filters, state=state)) for state in STATES},
        )

    try:
        return await services_of(request).projection.letters(read)
    except InvalidCursor as error:
        raise Problem(400, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    except OrchestratorError as error:
        raise unreadable(error) from error


def _filters(code: str, topic: str, batch: str, state: str) -> LetterFilter:
    def text(given: str) -> str | None:
        return given.replace("\x00", "\ufffd") or None  # PostgreSQL refuses a NUL in a query

    return LetterFilter(
        code=text(code), topic=text(topic), batch_id=text(batch), state=None if state == views.ANY else state
    )


def _group_form(
    request: Request,
    act: str,
    filters: LetterFilter,
    *,
    count: int,
    preview: views.GroupPreviewView | None,
    fault: str = "",
) -> Response:
    query = {"code": filters.code, "topic": filters.topic, "batch": filters.batch_id, "state": filters.state}
    return render(
        request,
        "dead_letters_act.html",
        active=_ACTIVE,
        title=f"{act.capitalize()} dead letters",
        status=400 if fault else 200,
        act=act,
        group=views.group_name(filters),
        count=count,
        preview=preview,
        bar=None if preview is None else proportion_bar(views.outcome_parts(preview.outcomes)),
        ask_number=count > views.ASK_NUMBER_ABOVE,
        fault=fault,
        action_url=views.list_url(f"/groups/{act}", **query),
        back_url=views.list_url(code=filters.code, topic=filters.topic),
        note_length=MAX_NOTE,
    )
