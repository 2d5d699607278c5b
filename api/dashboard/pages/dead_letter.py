"""One dead letter in full, and what can be done with it."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import LETTERS_READ, LETTERS_WRITE, may
from api.dashboard.forms import read_form, text_field
from api.dashboard.rendering import render
from api.dashboard.routing import page_router
from api.dashboard.views import dead_letters as views
from api.dashboard.views.record_value import value_view
from api.dependencies import require_principal, services_of
from api.errors import Problem
from api.letters.service import Act
from schemas.errors import Code
from schemas.internal.dead_letters import DISCARDED, MAX_NOTE, OPEN, REPLAYED
from schemas.internal.events import Principal

router = page_router()
_ACTS = {"replay": REPLAYED, "discard": DISCARDED}


@router.get("/dead-letters/{letter_id}")
async def dead_letter_page(
    request: Request, letter_id: str, form: Annotated[str, Query(alias="as", max_length=10)] = ""
) -> Response:
    """Return one dead letter in full."""
    principal = require_principal(request, LETTERS_READ)
    stored = await services_of(request).letters.get(letter_id)
    letter = stored.letter
    return render(
        request,
        "dead_letter.html",
        active="dead-letters",
        title=f"Dead letter {letter_id}",
        row=views.letter_row(stored),
        letter=letter,
        value=None if letter.value is None else value_view(letter.value, form),
        headers=[(name, value.decode(errors="replace")) for name, value in stored.headers],
        key=None if letter.key is None else letter.key.decode(errors="backslashreplace"),
        replay_url=views.letter_url(letter_id, "/replay"),
        discard_url=views.letter_url(letter_id, "/discard"),
        here=views.letter_url(letter_id),
        may_work=may(principal, LETTERS_WRITE) and stored.state != REPLAYED,
        may_discard=stored.state == OPEN,
    )


@router.get("/dead-letters/{letter_id}/{act}")
async def act_page(request: Request, letter_id: str, act: str) -> Response:
    """Return what would become of a dead letter, with the form that does it."""
    require_principal(request, LETTERS_WRITE)
    state = state_after(act)
    letters = services_of(request).letters
    stored = await letters.get(letter_id)
    preview: views.PreviewRow | None = None
    refusal: Problem | None = None
    if state == REPLAYED:
        try:
            preview = views.preview_row(await letters.preview(letter_id))
        except Problem as problem:
            if problem.status >= 500:
                raise
            refusal = problem
    return render(
        request,
        "dead_letter_act.html",
        active="dead-letters",
        title=f"{act.capitalize()} a dead letter",
        act=act,
        row=views.letter_row(stored),
        preview=preview,
        refusal=refusal,
        action_url=views.letter_url(letter_id, f"/{act}"),
        note_length=MAX_NOTE,
    )


@router.post("/dead-letters/{letter_id}/{act}")
async def work(request: Request, letter_id: str, act: str) -> Response:
    """Replay or discard a dead letter, and return to its page."""
    principal = require_principal(request, LETTERS_WRITE)
    form = await read_form(request)
    await services_of(request).letters.work(letter_id, Act(state_after(act), name_of(principal), note_of(form)))
    return RedirectResponse(views.letter_url(letter_id), status_code=303)


def state_after(act: str) -> str:
    """Return the state to which `replay` or `discard` leads. Raises `Problem` 404 for anything else."""
    if act not in _ACTS:
        raise Problem(
            404,
            Code.NO_ROUTE,
            "There is no page at this address.",
            next_step="A dead letter can be replayed or discarded.",
            error="Not found",
        )
    return _ACTS[act]


def note_of(form: dict[str, str]) -> str:
    """Return the note of a form in one line. Raises `Problem` 400 for control characters, or too many of any."""
    note = text_field(form, "note")
    if len(note) > MAX_NOTE:
        raise Problem(
            400,
            Code.VALIDATION,
            f"The note has {len(note):,} characters; the most are {MAX_NOTE:,}.",
            next_step="Go back and correct it.",
            error="Validation Error",
        )
    return note


def name_of(principal: Principal) -> str:
    """Return how what somebody did is signed."""
    return principal.subject if not principal.organisation else f"{principal.organisation}/{principal.subject}"
