"""Routes of dead letters: lists, one of them, and what can be done with one or with a group (docs/dead-letters.md)."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api.auth import LETTERS_READ, LETTERS_WRITE
from api.dependencies import require_principal, services_of
from api.errors import Problem, invalid_body
from api.letters.refusals import letter_not_found, unreadable
from api.letters.service import Act
from api.paths import decode_segment
from api.routes import letter_response as bodies
from api.routes.request_body import off_the_loop, parse_object, read_body
from schemas.errors import InvalidCursor, InvalidRequest, OrchestratorError
from schemas.internal.dead_letters import DISCARDED, REPLAYED
from schemas.internal.events import Principal
from schemas.public.dead_letters import LetterState, WorkLetter, WorkLetters, milliseconds, parse_body
from state.projection import LetterFilter

_MOST_LISTED = 200
_BODY_BYTES = 65_536
letter_routes = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])

Text = Annotated[str | None, Query(min_length=1, max_length=255)]
Moment = Annotated[datetime | None, Query()]
State = Annotated[LetterState | None, Query()]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=_MOST_LISTED)]
DryRun = Annotated[bool, Query()]
Body = TypeVar("Body", bound=WorkLetter)


def _filters(
    *,
    code: Text = None,
    topic: Text = None,
    batch: Text = None,
    state: State = None,
    since: Moment = None,
    until: Moment = None,
) -> LetterFilter:
    return LetterFilter(
        code=_text(code),
        topic=_text(topic),
        batch_id=_text(batch),
        state=state,
        since_ms=milliseconds(since),
        until_ms=milliseconds(until),
    )


Filters = Annotated[LetterFilter, Depends(_filters)]


@letter_routes.get("")
async def list_letters(request: Request, filters: Filters, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Return the dead letters that fit, the newest first, a page at a time."""
    require_principal(request, LETTERS_READ)
    try:
        page = await services_of(request).projection.letters(
            lambda reader: reader.dead_letters(filters, cursor=cursor, limit=limit)
        )
    except InvalidCursor as error:
        raise Problem(400, error.code, error.message, next_step=error.next_step, error="Validation Error") from error
    except OrchestratorError as error:
        raise unreadable(error) from error
    return _json(bodies.list_body(page))


@letter_routes.get("/groups")
async def group_letters(request: Request, filters: Filters) -> Response:
    """Return how many of the dead letters that fit have each code and first topic, the largest group first."""
    require_principal(request, LETTERS_READ)
    try:
        groups = await services_of(request).projection.letters(lambda reader: reader.dead_letter_groups(filters))
    except OrchestratorError as error:
        raise unreadable(error) from error
    return _json(bodies.groups_body(groups))


@letter_routes.post("/preview")
async def preview_letters(request: Request) -> Response:
    """Tell what would become of a group of dead letters if it were replayed. Nothing is sent."""
    require_principal(request, LETTERS_READ)
    body = await _body(request, WorkLetters)
    found = await services_of(request).letters.preview_group(_selected(body), body.limit)
    return _json(bodies.group_preview_body(found))


@letter_routes.post("/replay")
async def replay_letters(request: Request, *, dry_run: DryRun = False) -> Response:
    """Replay a group of dead letters, the oldest first; with `dry_run`, tell only how many they are."""
    return await _work_group(request, REPLAYED, dry_run=dry_run)


@letter_routes.post("/discard")
async def discard_letters(request: Request, *, dry_run: DryRun = False) -> Response:
    """Discard a group of dead letters; with `dry_run`, tell only how many they are."""
    return await _work_group(request, DISCARDED, dry_run=dry_run)


# After the routes of groups: their paths fit this one too, and `Allow` names the methods of the first that fits.
@letter_routes.get("/{dead_letter_id}")
async def letter(request: Request, dead_letter_id: str) -> Response:
    """Return one dead letter: its bytes, headers and traceback, and what was done with it."""
    require_principal(request, LETTERS_READ)
    stored = await services_of(request).letters.get(_id(dead_letter_id))
    size = len(stored.letter.value or b"")
    return Response(
        await off_the_loop(size, lambda: msgspec.json.encode(bodies.letter_body(stored))),
        media_type="application/json",
        headers=_NO_CACHE,
    )


@letter_routes.post("/{dead_letter_id}/preview")
async def preview_letter(request: Request, dead_letter_id: str) -> Response:
    """Tell what a replay of a dead letter would become. Nothing is sent."""
    require_principal(request, LETTERS_READ)
    return _json(bodies.preview_body(await services_of(request).letters.preview(_id(dead_letter_id))))


@letter_routes.post("/{dead_letter_id}/replay")
async def replay_letter(request: Request, dead_letter_id: str) -> Response:
    """Send a dead letter through the router again, as it is."""
    return await _work(request, dead_letter_id, REPLAYED)


@letter_routes.post("/{dead_letter_id}/discard")
async def discard_letter(request: Request, dead_letter_id: str) -> Response:
    """Note that a dead letter will not be used."""
    return await _work(request, dead_letter_id, DISCARDED)


async def _work(request: Request, segment: str, state: str) -> Response:
    principal = require_principal(request, LETTERS_WRITE)
    body = await _body(request, WorkLetter)
    dead_letter_id = _id(segment)
    handled = await services_of(request).letters.work(dead_letter_id, Act(state, _name(principal), body.note))
    return _json(bodies.handled_body(dead_letter_id, handled))


async def _work_group(request: Request, state: str, *, dry_run: bool) -> Response:
    principal = require_principal(request, LETTERS_WRITE)
    body = await _body(request, WorkLetters)
    service, filters = services_of(request).letters, _selected(body)
    if dry_run:
        count, ids = await service.select(filters, body.limit)
        return _json({"matched": count, "selected": len(ids)})
    worked = await service.work_group(filters, body.limit, Act(state, _name(principal), body.note))
    return _json(bodies.worked_body(worked, state))


async def _body(request: Request, model: type[Body]) -> Body:
    settings = services_of(request).settings
    if model is WorkLetter and request.headers.get("content-length", "0") == "0" and not _chunked(request):
        return model()
    raw = await read_body(request, _BODY_BYTES, settings.body_timeout_s)
    try:
        found: Body = parse_body(model, parse_object(raw, settings.limits()))
    except InvalidRequest as error:
        raise invalid_body(error) from error
    return found


def _chunked(request: Request) -> bool:
    return "transfer-encoding" in request.headers


def _selected(body: WorkLetters) -> LetterFilter:
    return _filters(**dict(body.filter))


def _text(given: str | None) -> str | None:
    """Return a text as the projection stores it: PostgreSQL refuses a NUL in a query too."""
    return None if given is None else given.replace("\x00", "\ufffd")


def _id(segment: str) -> str:
    try:
        return decode_segment(segment)
    except UnicodeDecodeError:
        raise letter_not_found(segment) from None


def _name(principal: Principal) -> str:
    return principal.subject if not principal.organisation else f"{principal.organisation}/{principal.subject}"


_NO_CACHE = {"Cache-Control": "no-cache"}


def _json(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers=_NO_CACHE)
