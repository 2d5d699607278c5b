"""Lists and numbers of batches: what may be asked of them, and what the reader answers."""

from enum import StrEnum

from msgspec import Struct

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseStatus
from schemas.internal.status import StatusRecord
from state.explanation.model import Usual

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
POINTS = 60
"""One-minute points of a curve."""
SHORTEST_PREFIX = 6
"""Characters of an id that are enough to look for it."""


class Visibility(Struct, frozen=True, kw_only=True):
    """Whose batches a reader may see. What is None does not limit; both None: all."""

    owner_subject: str | None = None
    owner_organisation: str | None = None


EVERYTHING = Visibility()


class BatchFilter(Struct, frozen=True, kw_only=True):
    """Which batches a list shows; all that is given must fit. Names are those of the URL's query."""

    status: tuple[BatchStatus, ...] = ()
    """Any of these; empty: any."""
    phase: str | None = None
    """Batches that have this phase."""
    phase_status: PhaseStatus | None = None
    """Status of `phase`, or of any phase where that is None."""
    owner: str | None = None
    """Subject of who registered the batch."""
    organisation: str | None = None
    """The batch's own (`org_id` of its registration)."""
    user: str | None = None
    course: str | None = None
    """The course code as the client gave it."""
    pipeline: str | None = None
    """Name of the pipeline definition."""
    stalled: bool | None = None
    held: bool | None = None
    paused: bool | None = None
    ended: bool | None = None
    """Whether the batch has ended; False: live ones."""
    attention: bool | None = None
    """Whether the batch needs a person, see `Attention`."""
    created_from_ms: int | None = None
    """Registered at this time or later, Unix milliseconds."""
    created_before_ms: int | None = None
    updated_from_ms: int | None = None
    updated_before_ms: int | None = None
    due_before_ms: int | None = None
    """Batches with a deadline before this time that would fail or end something."""

    def empty(self) -> bool:
        """Whether nothing is asked, so that every batch fits."""
        return self == ANY_BATCH


ANY_BATCH = BatchFilter()


class Attention(StrEnum):
    """Why a batch needs a person; of several reasons the first."""

    CHAIN_BREAK = "chain_break"
    """Its history shows that state was lost."""
    DEAD_LETTER = "dead_letter"
    """A record about it lies open among the dead letters."""
    HELD = "held"
    """A phase is held: it waits for a person."""
    STALLED = "stalled"
    """A phase takes longer than the pipeline's `stalled_after_s`."""
    DEADLINE_MISSED = "deadline_missed"
    """A phase failed by its deadline, and the batch goes on."""
    FAILED = "failed"
    """The batch has ended in failure within the last 24 hours."""


class BatchPage(Struct, frozen=True):
    """Batches in the order of their registration, and the cursor of what follows (None at the end)."""

    batches: tuple[StatusRecord, ...]
    next_cursor: str | None


class StatusCounts(Struct, frozen=True):
    """How many batches have each status, and each phase in each status; statuses without batches are left out."""

    batches: dict[str, int]
    phases: dict[str, dict[str, int]]
    stalled: int = 0
    held: int = 0
    paused: int = 0
    attention: int = 0
    """Batches that need a person."""
    reasons: dict[str, int] = {}
    """Batches that need a person, by `Attention`."""


NEVER_RUN = Usual(0, 0, 0)
"""Of a phase of which no run has succeeded yet."""


class Due(Struct, frozen=True, kw_only=True):
    """A deadline of a batch."""

    batch_id: str
    due_ms: int
    kind: DeadlineKind
    phase: str = ""


class PhaseStats(Struct, frozen=True, kw_only=True):
    """One phase over all batches that may be seen."""

    phase: str
    batches: int
    """Batches in which it runs now."""
    essays: int
    """Essays that running attempts have not answered for."""
    oldest_start_ms: int | None
    """When the oldest running attempt was commanded; None where none runs."""
    drained: tuple[int, ...]
    """Essays that each of the last 60 minutes brought to an end in it, the oldest minute first."""
    drain_per_minute: float
    """Mean of the last minutes in which essays were drained."""
    eta_ms: int | None
    """When the essays in flight end at that rate; None where nothing is drained or nothing is in flight."""
    failed_last_hour: int
    """Essays that it lost in the last hour."""
    usual: Usual


class Stats(Struct, frozen=True, kw_only=True):
    """The state of the whole, at one moment."""

    now_ms: int
    as_of_ms: int
    """Newest append time that it reflects."""
    counts: StatusCounts
    live: int
    """Batches that have not ended."""
    phases: tuple[PhaseStats, ...]
    registered: tuple[int, ...]
    """Batches registered in each of the last 60 minutes, the oldest minute first."""
    ended: tuple[int, ...]
    """Batches that ended in each of the last 60 minutes."""
    dispositions: dict[str, int]
    """Inbox records of the last hour by disposition. Empty where visibility is limited: they are of all owners."""
    next_deadlines: tuple[Due, ...]
    """The earliest deadlines after now that would fail or end something."""
    overdue: tuple[Due, ...]
    """Deadlines that have passed without a decision so far; many mean that the timekeeper or the log is behind."""
    missed: int
    """Live batches in which a phase failed by its deadline."""


class IdKind(StrEnum):
    """What an id names."""

    BATCH = "batch"
    CORRELATION = "correlation"
    REQUEST = "request"
    EVENT = "event"
    DEAD_LETTER = "dead_letter"


class Resolved(Struct, frozen=True, kw_only=True):
    """What an id, or the beginning of one, stands for."""

    kind: IdKind
    id: str
    """The whole id."""
    batch_id: str | None
    """Batch that it is about; None for a dead letter that names none."""
