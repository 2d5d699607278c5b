"""The items of an operation, a page at a time, and how many there are."""

from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlencode

from api.queries.filters import filter_query, parse_filter
from api.queries.projection import BoundedProjection
from schemas.internal.events import Principal
from schemas.internal.operations import OperationRecord
from schemas.public.dead_letters import LetterSelection, milliseconds
from state.decision.requests import ANY_OWNER
from state.projection import EVERYTHING, BatchFilter, LetterFilter, Visibility

PAGE = 50
"""Items that are worked before the progress is written."""
MOST_COUNTED = 10_000
"""Items that are counted when an operation begins; of more it is said that there are more."""
_TIMES = {"since": "since_ms", "until": "until_ms"}


class Page(NamedTuple):
    """Items of an operation, in a fixed order."""

    ids: tuple[str, ...]
    cursor: str | None
    """Where the next page begins; None at the end."""


class Selection(Protocol):
    """Finds the items of an operation. Raises `OrchestratorError` while the projection cannot be read."""

    async def page(self, record: OperationRecord, cursor: str, limit: int) -> Page:
        """Return the next items; `cursor` is empty at the begin."""

    async def count(self, record: OperationRecord) -> int:
        """Return how many items there are, at most `MOST_COUNTED` + 1."""


class ProjectionSelection:
    """Items from the projection: batches the oldest first, dead letters the newest first.

    Items that begin to fit while the operation goes on are not taken in: batches registered later are outside the
    filter's time, and dead letters written later come before the first page.
    """

    def __init__(self, projection: BoundedProjection) -> None:
        self._projection = projection

    async def page(self, record: OperationRecord, cursor: str, limit: int) -> Page:
        """Return the next items."""
        if record.ids:
            begin = int(cursor or 0)
            end = begin + limit
            return Page(record.ids[begin:end], str(end) if end < len(record.ids) else None)
        if record.action.of_letters:
            filters = letter_filter(record.filter)
            page = await self._projection.letters(
                lambda reader: reader.dead_letters(filters, cursor=cursor or None, limit=limit)
            )
            return Page(tuple(stored.letter.dead_letter_id for stored in page.letters), page.next_cursor)
        wanted, visible = batch_filter(record), visibility(record.principal)
        return Page(
            *await self._projection.read(lambda reader: reader.ids(wanted, visible, cursor=cursor or None, limit=limit))
        )

    async def count(self, record: OperationRecord) -> int:
        """Return how many items there are, at most one more than `MOST_COUNTED`."""
        if record.ids:
            return len(record.ids)
        most = MOST_COUNTED + 1
        if record.action.of_letters:
            filters = letter_filter(record.filter)
            return min(most, await self._projection.letters(lambda reader: reader.count_dead_letters(filters)))
        wanted, visible = batch_filter(record), visibility(record.principal)
        return await self._projection.read(lambda reader: reader.count(wanted, visible, most=most))


def batch_filter(record: OperationRecord) -> BatchFilter:
    """Return the filter of an operation on batches."""
    return parse_filter(parse_qs(record.filter, keep_blank_values=True))


def batch_query(filters: BatchFilter) -> str:
    """Return the filter as an operation record keeps it."""
    return filter_query(filters)


def letter_filter(query: str) -> LetterFilter:
    """Return the filter of an operation on dead letters."""
    given: dict[str, Any] = {name: values[-1] for name, values in parse_qs(query).items()}
    for name, field in _TIMES.items():
        if name in given:
            given[field] = int(given.pop(name))
    return LetterFilter(batch_id=given.pop("batch", None), **given)


def letter_query(selection: LetterSelection) -> str:
    """Return the filter as an operation record keeps it."""
    given = selection.model_dump(exclude_none=True)
    moments = {name: milliseconds(given[name]) for name in _TIMES if name in given}
    return urlencode({**given, **moments})


def visibility(principal: Principal) -> Visibility:
    """Return whose batches a caller may see."""
    if ANY_OWNER in principal.scopes:
        return EVERYTHING
    return Visibility(owner_subject=principal.subject, owner_organisation=principal.organisation)
