"""The armed deadlines of a batch: how they are added and removed."""

from bisect import insort
from operator import attrgetter

from msgspec.structs import replace

from schemas.internal.enums import DeadlineKind
from schemas.internal.events import Event
from schemas.internal.status import Deadline
from state.batch import Batch

_ORDER = attrgetter("due_ms", "kind", "phase")


def arm(batch: Batch, event: Event, kind: DeadlineKind, after_s: int, phase: str = "", attempt: int = 0) -> Batch:
    """Return the batch with one more deadline, `after_s` seconds from the event, the earliest first."""
    return arm_in(batch, event, kind, after_s * 1000, phase, attempt)


def arm_in(batch: Batch, event: Event, kind: DeadlineKind, left_ms: int, phase: str, attempt: int) -> Batch:
    """Return the batch with one more deadline, `left_ms` milliseconds from the event, the earliest first.

    In a paused batch it holds what is left, as all its deadlines do. The others keep their order: of those that were
    overdue when a pause began, which are equal since, the earliest comes first.
    """
    due_ms = left_ms if batch.pause is not None else event.time_ms + left_ms
    deadlines = list(batch.deadlines)
    insort(deadlines, Deadline(due_ms, kind, phase, attempt), key=_ORDER)
    return replace(batch, deadlines=tuple(deadlines))


def disarm(batch: Batch, phase: str = "") -> Batch:
    """Return the batch without the deadlines of `phase`; with no phase given, without those of the whole batch."""
    return replace(batch, deadlines=tuple(deadline for deadline in batch.deadlines if deadline.phase != phase))


def stop(batch: Batch, event: Event) -> Batch:
    """Return the batch with its clocks stopped: `due_ms` of each deadline becomes what is left, at least 0."""
    left = tuple(replace(armed, due_ms=max(0, armed.due_ms - event.time_ms)) for armed in batch.deadlines)
    return replace(batch, deadlines=left)


def restart(batch: Batch, event: Event) -> Batch:
    """Return the batch with stopped clocks running again: each deadline is due after what was left."""
    return replace(
        batch, deadlines=tuple(replace(armed, due_ms=event.time_ms + armed.due_ms) for armed in batch.deadlines)
    )


def retry_due_ms(batch: Batch, phase: str) -> int | None:
    """Return when the next attempt of a phase starts by itself; None where none is scheduled, or the batch paused."""
    if batch.pause is not None:
        return None
    due = (d.due_ms for d in batch.deadlines if d.kind is DeadlineKind.RETRY_BACKOFF and d.phase == phase)
    return next(due, None)
