"""The armed deadlines of a batch: how they are added and removed."""

from operator import attrgetter

from msgspec.structs import replace

from schemas.internal.enums import DeadlineKind
from schemas.internal.events import Event
from schemas.internal.status import Deadline
from state.batch import Batch

_ORDER = attrgetter("due_ms", "kind", "phase")


def arm(batch: Batch, event: Event, kind: DeadlineKind, after_s: int, phase: str = "", attempt: int = 0) -> Batch:
    """Return the batch with one more deadline, `after_s` seconds from the event, the earliest first.

    In a paused batch it holds what is left, as all its deadlines do.
    """
    left_ms = after_s * 1000
    due_ms = left_ms if batch.pause is not None else event.time_ms + left_ms
    deadlines = (*batch.deadlines, Deadline(due_ms, kind, phase, attempt))
    return replace(batch, deadlines=tuple(sorted(deadlines, key=_ORDER)))


def disarm(batch: Batch, phase: str = "") -> Batch:
    """Return the batch without the deadlines of `phase`; with no phase given, without those of the whole batch."""
    return replace(batch, deadlines=tuple(deadline for deadline in batch.deadlines if deadline.phase != phase))
