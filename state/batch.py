"""The stored record of a batch: everything `decide` knows about it.

Essays are named by their index in `Batch.essays`, because the record is written with every event of the batch.
"""

from typing import Any

from msgspec import Struct

from schemas.internal.enums import BatchStatus, Disposition, LostReason, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import BatchContext, FileFailure, Principal
from schemas.internal.pipeline import PipelineDefinition
from schemas.internal.status import Deadline, Pause


class Essay(Struct, frozen=True, array_like=True, gc=False):
    """A ready essay. Its id is not stored: it is derived from its slot (`state.decision.attempts.essay_ids`)."""

    slot: int
    """Number of its slot, from 0."""
    text: str
    """Storage id of the uploaded text; empty once the batch has ended."""


class LostEssay(Struct, frozen=True, array_like=True, gc=False):
    """An essay that an attempt lost."""

    essay: int
    """Index into `Batch.essays`."""
    reason: LostReason
    retryable: bool = True
    """Whether an automatic retry may command it again."""
    detail: str = ""
    """The peer's own words."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command of a phase, and what came of it."""

    number: int
    """From 1; a phase never uses a number twice."""
    essays: tuple[int, ...] | None = None
    """Indexes of the essays commanded, ascending; None: every ready essay. Empty once the batch has ended."""
    commanded_ms: int
    concluded_ms: int | None = None
    """When it ended; None while it runs."""
    outcomes: tuple[str, ...] = ()
    """Digests of the outcomes recorded for it."""
    lost: tuple[LostEssay, ...] = ()
    foreign: int = 0
    """Named essays that were not commanded."""
    reason: PhaseReason | None = None
    """Why it failed, where it did."""
    superseded: bool = False
    """A later retry of all essays, or of a phase before this one: its results no longer count."""


class PhaseRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A phase of a batch: its status, all its attempts, and the texts that it gave.

    Which essays survived or were lost follows from the attempts (`state.decision.attempts`).
    """

    status: PhaseStatus
    attempts: tuple[Attempt, ...] = ()
    """All attempts in their order, superseded ones too."""
    selection: tuple[int, ...] | None = None
    """Indexes of the essays that the next attempt is limited to; None: all its inputs."""
    reopened: bool = False
    """Only with `join = "any"`: a retry of a phase before it made it pending again, so it waits until those ended."""
    texts: dict[int, str] = {}
    """New texts (storage ids) that this phase gave, by essay index. A text that the essay already had is not new."""
    metrics: dict[int, dict[str, Any]] = {}
    """New metrics that this phase gave, by essay index."""
    stalled: bool = False
    """The running attempt has taken longer than `stalled_after_s`."""
    reason: PhaseReason | None = None
    """Why the phase failed, was skipped or was cancelled."""
    commanded: int = 0
    """How many essays its attempts were commanded; set at the batch's end, when the indexes go."""


class DecidedRequest(Struct, frozen=True, omit_defaults=True):
    """A request that was answered, so that its repeat gets the same answer."""

    request_id: str
    fingerprint: str
    disposition: Disposition
    code: ReasonCode


class Batch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A batch of essays. Changed by `decide` alone; every change is a new value."""

    writer: int
    """Format version that wrote it; like `least_reader` without a default, so that it is always in the bytes."""
    least_reader: int
    batch_id: str
    version: int
    """Version of the event that last changed the batch."""
    registered_version: int
    """Version of the registration; together with `batch_id` it identifies this life of the batch."""
    status: BatchStatus
    owner: Principal
    correlation_id: str
    trace_id: str
    fingerprint: str
    """Fingerprint of the registration's body."""
    expected: int
    """Number of slots, one for each expected essay. Their ids are derived (`schemas.ids.slot_ids`)."""
    context: BatchContext
    pipeline: PipelineDefinition
    requested_phases: tuple[str, ...]
    phases: dict[str, PhaseRun]
    """Phase runs by phase name, in the order of the pipeline definition."""
    essays: tuple[Essay, ...] = ()
    """Ready essays in the order of the ready event. Once the batch has ended: those that a phase lost."""
    metrics: dict[int, dict[str, Any]] = {}
    """Metrics that came with the ready event, by essay index."""
    ready_count: int = 0
    ready_digest: str = ""
    """Digest of the essays in the event that started the batch; tells a repeated event from a conflicting one."""
    provisioned: bool = False
    """Whether a class batch has had its student matching commanded."""
    file_failures: tuple[FileFailure, ...] = ()
    file_failures_total: int = 0
    validations: tuple[str, ...] = ()
    """Digests of the last validation errors recorded."""
    deadlines: tuple[Deadline, ...] = ()
    """Armed clocks, the earliest first."""
    pause: Pause | None = None
    """Set while the batch is paused; `due_ms` of each deadline then holds the milliseconds that were left."""
    decided: tuple[DecidedRequest, ...] = ()
    """The last `REMEMBERED_REQUESTS` requests decided, refused ones included."""
    reason: ReasonCode | None = None
    """Why the batch failed."""
    registered_ms: int
    updated_ms: int
    ended_ms: int | None = None
