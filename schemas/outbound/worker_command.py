"""The generic command of a phase, as docs/workers.md describes it to the authors of workers.

Published as a JSON Schema (`schemas/public/json/phase-command.v1.json`), so fields are added, never changed.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct

from schemas.internal.effects import CommandPhase, GenericCommand
from schemas.internal.events import BatchContext

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CommandedEssay(Struct, frozen=True, omit_defaults=True):
    """An essay to work on."""

    essay_id: str
    text_storage_id: Annotated[str, Meta(description="Where its newest text lies.")]
    metrics: Annotated[
        dict[str, Any] | None, Meta(description="What an earlier phase measured of it; absent where none has.")
    ] = None


class WorkerCommand(Struct, frozen=True, kw_only=True):
    """Commands one attempt of a phase."""

    command_id: Annotated[str, Meta(description="UUID; the same for every copy of this command.")]
    batch_id: str
    phase: Annotated[str, Meta(description="Name of the phase in the pipeline definition.")]
    attempt: Annotated[int, Meta(ge=1, description="Number of this attempt. The outcome must repeat it.")]
    pipeline: Annotated[str, Meta(description="Name of the batch's pipeline.")]
    pipeline_version: Annotated[int, Meta(ge=1)]
    essays: tuple[CommandedEssay, ...]
    context: Annotated[BatchContext, Meta(description="What the client said about the batch.")]
    deadline: Annotated[
        datetime,
        Meta(tz=True, description="From when on an outcome of this attempt is no longer taken; ISO 8601, UTC."),
    ]
    correlation_id: Annotated[str, Meta(description="UUID of this attempt, for logs. The envelope has the same.")]


def generic_command(effect: CommandPhase, form: GenericCommand) -> WorkerCommand:
    """Return what commands an attempt of a phase whose definition says `payload = "generic"`."""
    return WorkerCommand(
        command_id=effect.event_id,
        batch_id=effect.batch_id,
        phase=effect.phase,
        attempt=effect.attempt,
        pipeline=form.pipeline,
        pipeline_version=form.pipeline_version,
        essays=tuple(
            [CommandedEssay(ref.essay_id, ref.text_storage_id, ref.spellcheck_metrics) for ref in effect.essays]
        ),
        context=effect.context,
        deadline=_EPOCH + timedelta(milliseconds=form.deadline_ms),
        correlation_id=effect.correlation_id,
    )
