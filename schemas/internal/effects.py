"""What a decision publishes to peers, in canonical form. `schemas.outbound.render` gives each its bytes.

An open union told apart by `kind`. Every effect carries what its payload needs, so that the same decision always
gives the same bytes: id, time and order are derived from the event that was decided.
"""

from msgspec import Struct

from schemas.internal.enums import BatchStatus
from schemas.internal.events import BatchContext, EssayRef


class _Effect(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    event_id: str
    batch_id: str
    time_ms: int
    correlation_id: str
    trace_id: str
    context: BatchContext


class BatchRegistered(_Effect, frozen=True, kw_only=True, omit_defaults=True, tag="batch_registered"):
    """Tells peers to open the batch's essay slots."""

    essay_ids: tuple[str, ...]


class GenericCommand(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the generic command of a phase says that HuleEdu's commands do not."""

    topic: str = ""
    """Real name of the topic; empty: the one that belongs to the phase's name."""
    pipeline: str
    pipeline_version: int
    deadline_ms: int
    """When the attempt is given up, Unix milliseconds."""


class CommandPhase(_Effect, frozen=True, kw_only=True, omit_defaults=True, tag="command_phase"):
    """Commands one attempt of a phase."""

    phase: str
    attempt: int
    essays: tuple[EssayRef, ...]
    generic: GenericCommand | None = None
    """Present: the generic command. Absent: the command that HuleEdu's peers know for this name."""


class CommandStudentMatching(_Effect, frozen=True, kw_only=True, omit_defaults=True, tag="command_student_matching"):
    """Commands the matching of essays to the students of a class."""

    essays: tuple[EssayRef, ...]


class PipelineCompleted(_Effect, frozen=True, kw_only=True, omit_defaults=True, tag="pipeline_completed"):
    """Tells that the batch has ended, once in its life."""

    final_status: BatchStatus
    completed_phases: tuple[str, ...]
    started_ms: int
    """When the batch was registered; the payload's duration counts from here."""
    succeeded: int
    failed: int


Effect = BatchRegistered | CommandPhase | CommandStudentMatching | PipelineCompleted
