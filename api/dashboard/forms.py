"""Forms of pages: read within bounds, and only where a page of this api sent them."""

from urllib.parse import parse_qs

from fastapi import Request

from api.dashboard.security import require_own_form
from api.dependencies import services_of
from api.errors import Problem
from api.routes.request_body import read_body
from schemas.errors import Code
from schemas.internal.dead_letters import DISCARDED, MAX_NOTE, REPLAYED
from schemas.internal.events import Principal
from schemas.text import unusable_character

_FORM_BYTES = 65_536


async def form_of(request: Request) -> dict[str, str]:
    """Return the first value of each field. Raises `Problem` for a form of another site, or one that is too long."""
    require_own_form(request)
    body = await read_body(request, _FORM_BYTES, services_of(request).settings.body_timeout_s)
    fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


_ACTS = {"replay": REPLAYED, "discard": DISCARDED}


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
    """Return the note of a form in one line. Raises `Problem` 400 for a control character, or too many of any."""
    note = " ".join(form.get("note", "").split())
    if len(note) > MAX_NOTE or unusable_character(note) is not None:
        raise Problem(
            400,
            Code.VALIDATION,
            f"The note must have at most {MAX_NOTE} characters, none of them a control character.",
            next_step="Go back and correct it.",
            error="Validation Error",
        )
    return note


def name_of(principal: Principal) -> str:
    """Return how what somebody did is signed."""
    return principal.subject if not principal.organisation else f"{principal.organisation}/{principal.subject}"
