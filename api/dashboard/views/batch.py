"""One batch as its page shows it."""

from urllib.parse import quote

from msgspec import Struct

from api.dashboard.views.actions import Actions, actions_of
from api.dashboard.views.batches import title_of
from api.dashboard.views.words import Tone, batch_tone, counted, phase_tone, short_id
from schemas.internal.dead_letters import OPEN
from schemas.internal.enums import DeadlineKind, LostReason
from schemas.internal.status import StatusRecord
from state.projection import StoredLetter
from state.why import Why

MOST_ESSAYS = 20
"""Lost essays that are shown at once; the rest is folded."""
_DEADLINES = {
    DeadlineKind.STALLED: "{phase} is flagged as stalled",
    DeadlineKind.PHASE: "outcome of {phase} due",
    DeadlineKind.RETRY_BACKOFF: "next attempt of {phase}",
    DeadlineKind.NEVER_PROVISIONED: "essays due",
    DeadlineKind.HOLD: "hold of {phase} ends",
    DeadlineKind.PURGE: "the record of the batch is purged",
}
_LOST = {
    LostReason.FAILED: "the peer reported it as failed",
    LostReason.UNACCOUNTED: "the outcome did not name it",
    LostReason.NONE_NAMED: "the outcome named no essay",
    LostReason.NO_OUTCOME: "no outcome came in time",
    LostReason.CANCELLED: "cancelled",
    LostReason.OVERSIZED: "too large to be stored or published",
}


class LostEssays(Struct, frozen=True, kw_only=True):
    """Essays that a phase lost for the same reason."""

    phase: str
    reason: str
    detail: str
    essay_ids: tuple[str, ...]


class PhaseRow(Struct, frozen=True, kw_only=True):
    """One phase in numbers."""

    name: str
    tone: Tone
    attempt: int
    commanded: int
    succeeded: int
    failed: int
    unaccounted: int
    foreign: int
    started_ms: int | None
    completed_ms: int | None


class DeadlineRow(Struct, frozen=True, kw_only=True):
    """A clock of a batch."""

    what: str
    due_ms: int


class Tally(Struct, frozen=True, kw_only=True):
    """A number of essays under a word."""

    label: str
    count: int
    tone: str


class LetterRow(Struct, frozen=True, kw_only=True):
    """A dead letter of a batch."""

    url: str
    code: str
    reason: str
    time_ms: int
    tone: Tone
    open: bool


class Past(Struct, frozen=True, kw_only=True):
    """The page shows the batch as it was."""

    time_ms: int
    present_url: str


class BatchView(Struct, frozen=True, kw_only=True):
    """Everything that the page shows of a batch, but its decisions and dead letters."""

    batch_id: str
    short: str
    title: str
    tone: Tone
    version: int
    why: Why
    actions: Actions
    phases: tuple[PhaseRow, ...]
    lost: tuple[LostEssays, ...]
    tallies: tuple[Tally, ...]
    deadlines: tuple[DeadlineRow, ...]
    record: StatusRecord


def batch_view(record: StatusRecord, why: Why) -> BatchView:
    """Return what the page of a batch shows."""
    return BatchView(
        batch_id=record.batch_id,
        short=short_id(record.batch_id),
        title=title_of(record),
        tone=batch_tone(record),
        version=record.version,
        why=why,
        actions=actions_of(record.batch_id, why.advice),
        phases=tuple(_phase(record, name) for name in record.phases),
        lost=_lost(record),
        tallies=_tallies(record),
        deadlines=tuple(
            DeadlineRow(what=deadline_text(each.kind, each.phase), due_ms=each.due_ms) for each in record.deadlines
        ),
        record=record,
    )


def letter_row(stored: StoredLetter) -> LetterRow:
    """Return a dead letter as one row."""
    still_open = stored.state == OPEN
    return LetterRow(
        url=f"/dead-letters/{quote(stored.letter.dead_letter_id, safe='')}",
        code=stored.letter.code,
        reason=stored.letter.reason,
        time_ms=stored.time_ms,
        tone=Tone("failed", "failed", "open") if still_open else Tone("idle", "done", stored.state),
        open=still_open,
    )


def deadline_text(kind: DeadlineKind, phase: str) -> str:
    """Return what happens at a deadline, in words."""
    return _DEADLINES.get(kind, str(kind).replace("_", " ") + " of {phase}").format(phase=phase or "the batch")


def _phase(record: StatusRecord, name: str) -> PhaseRow:
    view = record.phases[name]
    return PhaseRow(
        name=name,
        tone=phase_tone(view),
        attempt=view.attempt,
        commanded=view.commanded,
        succeeded=view.succeeded,
        failed=view.failed,
        unaccounted=view.unaccounted,
        foreign=view.foreign,
        started_ms=view.started_ms,
        completed_ms=view.completed_ms,
    )


def _lost(record: StatusRecord) -> tuple[LostEssays, ...]:
    """Return the lost essays by phase and reason, in the order in which the first of each stands in the record."""
    found: dict[tuple[str, LostReason, str], list[str]] = {}
    for each in record.failed_essays:
        found.setdefault((each.phase, each.reason, each.detail), []).append(each.essay_id)
    return tuple(
        LostEssays(
            phase=phase,
            reason=_LOST.get(reason, str(reason).replace("_", " ")),
            detail=detail,
            essay_ids=tuple(essay_ids),
        )
        for (phase, reason, detail), essay_ids in found.items()
    )


def _tallies(record: StatusRecord) -> tuple[Tally, ...]:
    counts = record.counts
    found = [
        Tally(label="expected", count=counts.expected, tone=""),
        Tally(label="ready", count=counts.ready, tone=""),
        Tally(label="passed so far" if record.ended_ms is None else "passed", count=counts.succeeded, tone="done"),
        Tally(label="lost", count=counts.failed, tone="failed"),
        Tally(label="never arrived", count=counts.unaccounted, tone="partial"),
        Tally(label="files rejected", count=record.file_failures_total, tone="partial"),
    ]
    always = {"expected", "ready"}
    return tuple(each for each in found if each.count or each.label in always)


def essays_summary(record: StatusRecord) -> str:
    """Return the essays of a batch in one phrase."""
    counts = record.counts
    return f"{counts.succeeded:,} of {counted(counts.expected, 'essay')}"
