"""How a phase of a definition is commanded."""

from schemas.internal.effects import GenericCommand
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition


def generic_command(pipeline: PipelineDefinition, phase: PhaseDefinition, time_ms: int) -> GenericCommand | None:
    """Return what the generic command of an attempt that starts at `time_ms` says; None for HuleEdu's commands."""
    if phase.payload != "generic":
        return None
    return GenericCommand(
        topic=phase.command_topic,
        pipeline=pipeline.name,
        pipeline_version=pipeline.version,
        deadline_ms=time_ms + phase.deadline_s * 1000,
    )
