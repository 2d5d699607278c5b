"""The list of batches as its page shows it."""

from msgspec import Struct

from api.dashboard.views.links import batch_url
from api.dashboard.views.words import PhaseCell, Tone, batch_tone, phase_cells, short_id
from schemas.internal.status import StatusRecord


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
    deadline_ms: int | None


def batch_row(record: StatusRecord, waiting_for: str) -> BatchRow:
    """Return the row of a batch; `waiting_for` says what it waits for."""
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
        waiting_for=waiting_for,
        deadline_ms=record.deadlines[0].due_ms if record.deadlines and record.ended_ms is None else None,
    )


def title_of(record: StatusRecord) -> str:
    """Return class and course of a batch, as its client named them."""
    context = record.context
    return " · ".join(filter(None, (context.class_designation, context.course_code_given)))
