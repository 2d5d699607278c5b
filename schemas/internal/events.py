"""Canonical events: what the inbox carries, whatever wire era it came from.

Requests are in the imperative, events of peers in the past tense. Every record is a `InboxRecord`: one batch, one
body, and where it came from. Bodies form an open union told apart by `kind`; a kind unknown to a reader comes with a
`least_reader` above it (see `schemas.internal.codec`).
"""

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from schemas.internal.pipeline import PipelineDefinition


class EssayRef(Struct, frozen=True, omit_defaults=True, gc=False):
    """An essay and where its newest text lies. Encoded as it stands into commands to peers."""

    essay_id: str
    text_storage_id: str
    spellcheck_metrics: dict[str, Any] | None = None
    """Untouched from the peer's outcome (head era)."""


class FileFailure(Struct, frozen=True, omit_defaults=True):
    """An uploaded file that did not become an essay."""

    code: str
    message: str
    file_name: str = ""
    essay_id: str = ""


class Principal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks. On loopback an anonymous one with all scopes."""

    subject: str = "anonymous"
    organisation: str = ""
    scopes: tuple[str, ...] = ()
    verified: bool = False
    """True where a credential was checked, False where the caller only claims it."""


class BatchContext(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the client said about the batch, normalised over the seed and head eras."""

    course_code: str
    """Course code as published to peers; under `PEER_ERA=any` one of the closed list of the later eras."""
    course_code_given: str
    """Course code as the client wrote it."""
    language: Literal["en", "sv"]
    enable_cj_assessment: bool = False
    class_designation: str | None = None
    teacher_name: str | None = None
    essay_instructions: str | None = None
    user_id: str | None = None
    org_id: str | None = None
    class_id: str | None = None
    """Present: a class batch, whose students are matched before it is ready. Absent: a guest batch."""
    assignment_id: str | None = None
    student_prompt_ref: dict[str, Any] | None = None
    cj_default_llm_model: str | None = None
    cj_default_temperature: float | None = None


class _Body(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    pass


class _Request(_Body, frozen=True, kw_only=True, omit_defaults=True):
    request_id: str
    principal: Principal
    correlation_id: str
    fingerprint: str
    """`1:` and the SHA-256 (hex) of the request's body in RFC 8785 form."""


class RegisterBatch(_Request, frozen=True, kw_only=True, omit_defaults=True, tag="register"):
    """Register a batch. The router has chosen the pipeline and the phases that are asked for."""

    expected_essay_count: int
    context: BatchContext
    pipeline: PipelineDefinition
    requested_phases: tuple[str, ...]


class CancelBatch(_Request, frozen=True, kw_only=True, omit_defaults=True, tag="cancel"):
    """End a batch now; running phases are cancelled."""

    reason: str = ""
    if_version: int | None = None
    """Refuse unless the batch has this version."""


class PauseBatch(_Request, frozen=True, kw_only=True, omit_defaults=True, tag="pause"):
    """Start no further phase and stop the batch's clocks."""

    reason: str = ""
    if_version: int | None = None
    """Refuse unless the batch has this version."""


class ResumeBatch(_Request, frozen=True, kw_only=True, omit_defaults=True, tag="resume"):
    """Go on after a pause."""

    reason: str = ""
    if_version: int | None = None
    """Refuse unless the batch has this version."""


class RetryPhase(_Request, frozen=True, kw_only=True, omit_defaults=True, tag="retry"):
    """Run a phase again: on all its essays, on those that failed, or on the ones named."""

    phase: str
    essays: Literal["all", "failed"] | tuple[str, ...] = "failed"
    reason: str = ""
    if_version: int | None = None
    """Refuse unless the batch has this version."""


class EssaysReady(_Body, frozen=True, kw_only=True, omit_defaults=True, tag="essays_ready"):
    """The batch's essays are ready to be processed. May be empty: no file became an essay."""

    essays: tuple[EssayRef, ...]
    failures: tuple[FileFailure, ...] = ()


class ContentProvisioned(_Body, frozen=True, kw_only=True, omit_defaults=True, tag="content_provisioned"):
    """All content has arrived (head era). Starts a guest batch; a class batch has its students matched first."""

    essays: tuple[EssayRef, ...]


class ValidationFailed(_Body, frozen=True, kw_only=True, omit_defaults=True, tag="validation_failed"):
    """Files of the batch failed validation (head era, an event of its own)."""

    critical: bool
    failures: tuple[FileFailure, ...] = ()
    total: int = 0


class OutcomeStatus(StrEnum):
    """A peer's verdict on a phase, normalised over both spellings."""

    SUCCEEDED = "completed_successfully"
    SUCCEEDED_WITH_FAILURES = "completed_with_failures"
    FAILED = "failed_critically"
    CANCELLED = "cancelled"


class PhaseConcluded(_Body, frozen=True, kw_only=True, omit_defaults=True, tag="phase_concluded"):
    """A peer's outcome of a phase. The lists are as the peer sent them, repeats included."""

    phase: str
    status: OutcomeStatus
    essays: tuple[EssayRef, ...]
    """Essays that succeeded, with their newest text references."""
    failed_essay_ids: tuple[str, ...]
    correlation_id: str | None = None
    attempt: int | None = None
    """The attempt it answers, where the peer echoes it."""
    retryable: bool = True
    """Whether a failure may be retried automatically; false where the peer says that it would fail again."""
    not_retryable: tuple[str, ...] = ()
    """Ids of failed essays that would fail again."""
    failures: dict[str, str] = {}
    """Words of the peer on why an essay failed, by essay id."""


class DeadlineReached(_Body, frozen=True, kw_only=True, omit_defaults=True, tag="deadline_reached"):
    """Every armed deadline up to `due_ms` (Unix milliseconds) has passed."""

    due_ms: int


Request = RegisterBatch | CancelBatch | PauseBatch | ResumeBatch | RetryPhase
Body = Request | EssaysReady | ContentProvisioned | ValidationFailed | PhaseConcluded | DeadlineReached


class Origin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an inbox record came from."""

    event_id: str
    """The event's own id, or `schemas.ids.record_id` of its coordinates where it has none."""
    event_type: str
    topic: str
    partition: int
    offset: int
    source: str = ""
    """The producer's name, from the envelope."""
    produced_ms: int = 0
    """The producer's own time, Unix milliseconds. Information only: no rule reads it."""
    correlation_id: str | None = None
    traceparent: str | None = None


class InboxRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Value of a record on the inbox topic, keyed by `batch_id`."""

    writer: int
    least_reader: int
    batch_id: str
    origin: Origin
    body: Body


class Event(Struct, frozen=True, kw_only=True):
    """An inbox record at its place in the log: the input of `decide`."""

    batch_id: str
    origin: Origin
    body: Body
    version: int
    """Version the batch gets if this event changes it: generation * VERSIONS_PER_GENERATION + offset."""
    time_ms: int
    """The broker's append time, Unix milliseconds: the time of the decision."""
    partition: int
    """Partition of the inbox."""
    offset: int
    """Offset on the inbox."""
