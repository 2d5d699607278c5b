"""The list of batches as its page shows it."""

from collections.abc import Sequence
from urllib.parse import urlencode

from msgspec import Struct

from api.dashboard.views.filters import CURSOR, Items, query_of
from api.dashboard.views.links import batch_url, list_url
from api.dashboard.views.words import PhaseCell, Tone, batch_tone, counted, phase_cells, short_id
from schemas.internal.status import StatusRecord
from state.why import Why

ROWS = "/batches/rows"


class BatchRow(Struct, frozen=True, kw_only=True):
    """One batch in the list."""

    batch_id: str
    short: str
    url: str
    version: int
    tone: Tone
    title: str
    """Class and course."""
    owner: str
    cells: tuple[PhaseCell, ...]
    succeeded: int
    failed: int
    expected: int
    registered_ms: int
    ended_ms: int | None
    waiting_for: str
    sentence: str
    """The whole why sentence."""
    deadline_ms: int | None
    late: bool
    """It needs a person."""


class Pager(Struct, frozen=True, kw_only=True):
    """Where the reader is in a list."""

    summary: str
    first_url: str = ""
    """The newest entries; empty on the first page."""
    next_url: str = ""
    """What follows; empty on the last page."""


class Hint(Struct, frozen=True, kw_only=True):
    """A filter without one of its parts, and what it would find."""

    label: str
    count: str
    url: str


def batch_row(record: StatusRecord, why: Why) -> BatchRow:
    """Return the row of a batch."""
    return BatchRow(
        batch_id=record.batch_id,
        short=short_id(record.batch_id),
        url=batch_url(record.batch_id),
        version=record.version,
        tone=batch_tone(record),
        title=title_of(record),
        owner=record.owner_subject,
        cells=phase_cells(record),
        succeeded=record.counts.succeeded,
        failed=record.counts.failed,
        expected=record.counts.expected,
        registered_ms=record.registered_ms,
        ended_ms=record.ended_ms,
        waiting_for=why.waiting_for,
        sentence=why.sentence,
        deadline_ms=_deadline(record),
        late=why.code.needs_a_person,
    )


def _deadline(record: StatusRecord) -> int | None:
    if record.ended_ms is not None or not record.deadlines:
        return None
    return record.deadlines[0].due_ms


def title_of(record: StatusRecord) -> str:
    """Return class and course of a batch, as its client named them."""
    context = record.context
    return " · ".join(filter(None, (context.class_designation, context.course_code_given)))


def rows_url(batch_ids: Sequence[str]) -> str:
    """Return the address of these rows alone, in this order: what is shown is read again, and nothing moves."""
    return f"{ROWS}?{urlencode([('id', each) for each in batch_ids])}"


def pager(items: Items, shown: int, cursor: str | None, next_cursor: str | None) -> Pager:
    """Return where the reader is; `cursor` is that of the page."""
    query = query_of(items)
    if cursor is None and next_cursor is None:
        summary = f"{counted(shown, 'batch', 'batches')}, the newest first"
    else:
        summary = f"{counted(shown, 'batch', 'batches')} of more, the newest first"
    return Pager(
        summary=summary,
        first_url=list_url(query) if cursor is not None else "",
        next_url=list_url(query, **{CURSOR: next_cursor}) if next_cursor is not None else "",
    )
