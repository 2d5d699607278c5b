"""Status records: the snapshot of a batch on the compacted status topic, keyed by batch_id.

Headers: `version` (decimal), `next_deadline_ms` (decimal; absent where no clock runs). A purge is a tombstone with
the `version` header alone.
"""

from msgspec import Struct

from schemas.internal.enums import BatchStatus, DeadlineKind, LostReason, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import BatchContext, FileFailure


class Counts(Struct, frozen=True, kw_only=True):
    """Essays of a batch, from recorded facts. `expected = ready + unaccounted`, once it is ready."""

    expected: int
    ready: int = 0
    unaccounted: int = 0
    """Number of slots that the ready event did not name."""
    succeeded: int = 0
    """Ready essays that no phase lost; none of a batch that has ended before every phase asked for had run, or had run
    again where that was asked for on all essays."""
    failed: int = 0
    """The other ready essays."""


class PhaseView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One phase of a batch as readers see it. `commanded = succeeded + failed + unaccounted` while no attempt runs.

    The counts are of essays, over all attempts that were not superseded; those that a running attempt works on have
    neither succeeded nor failed.
    """

    status: PhaseStatus
    attempt: int = 0
    """Attempts so far, superseded ones included; 0 before the first."""
    commanded: int = 0
    succeeded: int = 0
    failed: int = 0
    """Essays lost, for whatever reason but that of `unaccounted`."""
    unaccounted: int = 0
    """Commanded essays that the outcome, which named others, did not name; they count as failed for what follows."""
    foreign: int = 0
    """Named essays that were not commanded, dropped; of the last attempt."""
    started_ms: int | None = None
    """When the last attempt was commanded."""
    completed_ms: int | None = None
    """When the last attempt ended; None while the phase goes on."""
    reason: PhaseReason | None = None
    """Why it failed, was skipped or cancelled; of a phase that is held or waits to be retried, why it would fail."""
    stalled: bool = False
    """The running attempt has taken longer than the pipeline's `stalled_after_s`."""
    retry_due_ms: int | None = None
    """When the next attempt starts by itself; None where none is scheduled, or the batch is paused."""


class FailedEssay(Struct, frozen=True, omit_defaults=True):
    """An essay that a phase lost."""

    essay_id: str
    phase: str
    reason: LostReason
    detail: str = ""
    """The peer's own words."""


class Pause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pause of a batch: its clocks stand, and no command goes out."""

    since_ms: int
    by: str
    """Subject of who asked for it."""
    reason: str = ""


class Deadline(Struct, frozen=True, omit_defaults=True):
    """An armed clock of a batch."""

    due_ms: int
    kind: DeadlineKind
    phase: str = ""
    attempt: int = 0


class StatusRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Snapshot of a batch after the event that gave it `version`."""

    writer: int
    least_reader: int
    batch_id: str
    version: int
    status: BatchStatus
    correlation_id: str
    context: BatchContext
    owner_subject: str
    owner_organisation: str
    pipeline: str
    """Name of the pipeline definition."""
    pipeline_version: int
    requested_phases: tuple[str, ...]
    phases: dict[str, PhaseView]
    counts: Counts
    failed_essays: tuple[FailedEssay, ...] = ()
    file_failures: tuple[FileFailure, ...] = ()
    """The first of the files that failed validation."""
    file_failures_total: int = 0
    reason: ReasonCode | None = None
    """Why the batch itself failed."""
    stalled: bool = False
    """A phase is stalled."""
    held: bool = False
    """A phase is held: it waits for a person."""
    pause: Pause | None = None
    """Set while the batch is paused."""
    registered_ms: int
    updated_ms: int
    ended_ms: int | None = None
    deadlines: tuple[Deadline, ...] = ()
    """Armed clocks, the earliest first; none while the batch is paused."""
