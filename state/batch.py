"""The stored record of a batch: everything `decide` knows about it."""

from msgspec import Struct

from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import BatchContext, EssayRef, FileFailure, Principal
from schemas.internal.pipeline import PipelineDefinition
from schemas.internal.status import Deadline, FailedEssay


class PhaseRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A phase of a batch: its running or last attempt, and what earlier ones left behind.

    The essays commanded are not kept: they follow from `only` and from the survivors of what comes before
    (`state.decision.essays.essays_to_command`).
    """

    status: PhaseStatus
    attempt: int = 0
    """Number of the running or last attempt, from 1; 0 before the first."""
    only: tuple[str, ...] = ()
    """Essay ids that the attempt is limited to; empty: all inputs."""
    commanded: int = 0
    """How many essays; `commanded - len(failed)` of them survived once the attempt has ended."""
    survivors: tuple[EssayRef, ...] = ()
    """Essays that succeeded, with their newest text, in the order of the command. Dropped when the batch ends."""
    failed: tuple[FailedEssay, ...] = ()
    foreign: int = 0
    outcomes: tuple[str, ...] = ()
    """Digests of the outcomes recorded, of all attempts."""
    started_ms: int | None = None
    completed_ms: int | None = None
    reason: str | None = None


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
    """Of the event that last changed it."""
    registered_version: int
    """Of its registration: with `batch_id` the identity of this life of the batch."""
    status: BatchStatus
    owner: Principal
    correlation_id: str
    trace_id: str
    fingerprint: str
    """Of the registration."""
    expected: int
    """Slots."""
    context: BatchContext
    pipeline: PipelineDefinition
    requested_phases: tuple[str, ...]
    phases: dict[str, PhaseRun]
    """In the order of the definition."""
    slots: tuple[str, ...] = ()
    """Essay ids handed out at registration; dropped once the batch is ready."""
    essays: tuple[EssayRef, ...] = ()
    """Ready essays. Dropped when the batch ends."""
    ready_count: int = 0
    ready_digest: str = ""
    """Of the event that started the batch; tells a repeat from a conflict."""
    provisioned: bool = False
    """Whether a class batch has had its student matching commanded."""
    file_failures: tuple[FileFailure, ...] = ()
    file_failures_total: int = 0
    validations: tuple[str, ...] = ()
    """Digests of the last validation errors recorded."""
    deadlines: tuple[Deadline, ...] = ()
    """Armed clocks, the earliest first."""
    paused_ms: int | None = None
    """Since when it is paused; while it is, `due_ms` of its deadlines hold what was left."""
    stalled: bool = False
    decided: tuple[DecidedRequest, ...] = ()
    """The last requests decided."""
    reason: str | None = None
    registered_ms: int
    updated_ms: int
    ended_ms: int | None = None
