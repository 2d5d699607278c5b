"""Status records: the snapshot of a batch on the compacted status topic, keyed by batch_id.

Headers: `version` (decimal), `next_deadline_ms` (decimal; absent where no clock runs). A purge is a tombstone with
the `version` header alone.
"""

from msgspec import Struct

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseStatus
from schemas.internal.events import BatchContext, FileFailure


class Counts(Struct, frozen=True, kw_only=True):
    """Essays of a batch, from recorded facts. `expected = ready + unaccounted`, once it is ready."""

    expected: int
    ready: int = 0
    unaccounted: int = 0
    """Number of slots that the ready event did not name."""
    succeeded: int = 0
    """Essays that survived every phase ended so far."""
    failed: int = 0
    """Ready essays that some phase lost."""


class PhaseView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One phase of a batch as readers see it. `commanded = succeeded + failed + unaccounted` once it has ended."""

    status: PhaseStatus
    attempt: int = 0
    """Attempts so far; 0 before the first."""
    commanded: int = 0
    succeeded: int = 0
    failed: int = 0
    """Essays that the peer named as failed, or all where it named none."""
    unaccounted: int = 0
    """Commanded essays in neither list; they count as failed for what follows."""
    foreign: int = 0
    """Named essays that were not commanded, dropped."""
    started_ms: int | None = None
    completed_ms: int | None = None
    reason: str | None = None
    """Reason code of a failure, or of a skip."""


class FailedEssay(Struct, frozen=True, omit_defaults=True):
    """An essay that a phase lost."""

    essay_id: str
    phase: str
    reason: str
    """`failed` (named by the peer), `unaccounted`, `phase_failed` (the peer named none), or `no_outcome`."""


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
    reason: str | None = None
    """Reason code of a failure of the batch itself."""
    stalled: bool = False
    registered_ms: int
    updated_ms: int
    ended_ms: int | None = None
    deadlines: tuple[Deadline, ...] = ()
