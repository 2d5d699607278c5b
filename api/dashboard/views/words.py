"""Statuses in words: each has a tone (its colour), a shape and a word, so that colour alone never carries meaning."""

from msgspec import Struct

from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus
from schemas.internal.status import PhaseView, StatusRecord


class Tone(Struct, frozen=True):
    """How a status looks."""

    name: str
    """`running`, `done`, `partial`, `failed`, `stalled`, `paused` or `idle`: a colour of tokens.css."""
    shape: str
    """A symbol of templates/shapes.html."""
    word: str
    open: bool = False
    """It can still change by itself: the edge is dashed."""


_B, _P, _D = BatchStatus, PhaseStatus, Disposition

_BATCH: dict[BatchStatus, Tone] = {
    _B.AWAITING_CONTENT_VALIDATION: Tone("idle", "waiting", "awaiting essays", open=True),
    _B.AWAITING_STUDENT_VALIDATION: Tone("idle", "waiting", "awaiting students", open=True),
    _B.PROCESSING_PIPELINES: Tone("running", "running", "processing", open=True),
    _B.COMPLETED_SUCCESSFULLY: Tone("done", "done", "completed"),
    _B.COMPLETED_WITH_FAILURES: Tone("partial", "partial", "partly completed"),
    _B.FAILED_CRITICALLY: Tone("failed", "failed", "failed"),
    _B.CANCELLED: Tone("idle", "cancelled", "cancelled"),
}
_PHASE: dict[PhaseStatus, Tone] = {
    _P.PENDING_DEPENDENCIES: Tone("idle", "waiting", "waiting", open=True),
    _P.DISPATCH_INITIATED: Tone("running", "running", "running", open=True),
    _P.COMPLETED_SUCCESSFULLY: Tone("done", "done", "completed"),
    _P.COMPLETED_WITH_PARTIAL_SUCCESS: Tone("partial", "partial", "partly completed"),
    _P.FAILED: Tone("failed", "failed", "failed"),
    _P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE: Tone("idle", "skipped", "skipped: a phase before it failed"),
    _P.SKIPPED_BY_USER_CONFIG: Tone("idle", "skipped", "not requested"),
    _P.CANCELLED: Tone("idle", "cancelled", "cancelled"),
    _P.WAITING_TO_RETRY: Tone("paused", "paused", "backing off", open=True),
    _P.HELD: Tone("stalled", "stalled", "held", open=True),
}
_DISPOSITION: dict[Disposition, Tone] = {
    _D.APPLIED: Tone("done", "done", "applied"),
    _D.REFUSED: Tone("partial", "partial", "refused"),
    _D.DUPLICATE: Tone("idle", "duplicate", "duplicate"),
    _D.STALE: Tone("idle", "stale", "stale"),
    _D.QUARANTINED: Tone("failed", "failed", "quarantined"),
    _D.UNKNOWN: Tone("stalled", "stalled", "unknown batch"),
}
BATCH_STATUSES: tuple[tuple[str, Tone], ...] = tuple((status.value, tone) for status, tone in _BATCH.items())
"""Every status of a batch, and how it looks."""
PHASE_STATUSES: tuple[tuple[str, Tone], ...] = tuple((status.value, tone) for status, tone in _PHASE.items())
"""Every status of a phase, and how it looks."""
BANNERS = {
    "stale": Tone("partial", "partial", "not current"),
    "applied": Tone("done", "done", "applied"),
    "refused": Tone("partial", "partial", "refused"),
    "past": Tone("paused", "stale", "as it was"),
    "failed": Tone("failed", "failed", "failed"),
    "attention": Tone("stalled", "stalled", "needs a person"),
}
"""How the banners of pages look."""
PAUSED = Tone("paused", "paused", "paused", open=True)
HELD = Tone("stalled", "stalled", "held", open=True)
STALLED = Tone("stalled", "stalled", "stalled", open=True)


def batch_tone(record: StatusRecord) -> Tone:
    """Return how a batch looks: what needs a person comes before its status."""
    if record.status.terminal:
        return batch_status_tone(record.status)
    if record.pause is not None:
        return PAUSED
    if record.held:
        return HELD
    if record.stalled:
        return STALLED
    return batch_status_tone(record.status)


def batch_status_tone(status: BatchStatus) -> Tone:
    """Return how a batch of this status looks; one that this version does not know is shown by its own word."""
    return _BATCH.get(status) or _unknown(status)


def phase_tone(phase: PhaseView) -> Tone:
    """Return how a phase looks."""
    if phase.stalled and not phase.status.terminal:
        return STALLED
    return phase_status_tone(phase.status)


def phase_status_tone(status: PhaseStatus) -> Tone:
    """Return how a phase of this status looks; one that this version does not know is shown by its own word."""
    return _PHASE.get(status) or _unknown(status)


def disposition_tone(disposition: Disposition) -> Tone:
    """Return how a disposition looks."""
    return _DISPOSITION.get(disposition) or _unknown(disposition)


def _unknown(word: str) -> Tone:
    return Tone("stalled", "stalled", str(word).replace("_", " "))


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 essay`, `1,204 essays`, `2 batches`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


class PhaseCell(Struct, frozen=True, kw_only=True):
    """One phase in a phase strip."""

    name: str
    tone: Tone
    sentence: str


def phase_cells(record: StatusRecord) -> tuple[PhaseCell, ...]:
    """Return a cell for each phase of a batch, in the order of its pipeline."""
    return tuple(_cell(name, phase) for name, phase in record.phases.items())


def _cell(name: str, phase: PhaseView) -> PhaseCell:
    tone = phase_tone(phase)
    sentence = f"{name}: {tone.word}"
    if phase.commanded:
        done = phase.succeeded + phase.failed + phase.unaccounted
        sentence += f", {phase.succeeded} of {counted(phase.commanded, 'essay')}"
        sentence += " passed" if done >= phase.commanded else " passed so far"
    if phase.attempt > 1:
        sentence += f", attempt {phase.attempt}"
    return PhaseCell(name=name, tone=tone, sentence=sentence)


def short_id(batch_id: str) -> str:
    """Return the beginning of an id that a list shows; `/go` finds the batch by it."""
    return batch_id if len(batch_id) <= 14 else batch_id[:8]
