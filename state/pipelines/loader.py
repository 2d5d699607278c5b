"""Pipeline definitions: read from TOML, and checked before anything is started."""

import tomllib
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import Code, ConfigurationError
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.topics import PHASE_COMMANDS, TopicTable


def load_pipelines(path: Path | None = None, topics: TopicTable | None = None) -> PipelineDefinition:
    """Return the pipeline that new batches get: the one in `path` (TOML), or the built-in one.

    Raises `ConfigurationError`, which names what is wrong and where.
    """
    source = str(path) if path is not None else "the built-in pipeline"
    try:
        text = path.read_text() if path is not None else files(__package__).joinpath("default.toml").read_text()
        document = tomllib.loads(text)
        pipeline = msgspec.convert(document, PipelineDefinition)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _refused(source, str(error)) from error
    _check_names(source, document)
    check_pipeline(pipeline, topics or TopicTable(), source)
    return pipeline


def check_pipeline(pipeline: PipelineDefinition, topics: TopicTable, source: str = "the pipeline") -> None:
    """Raise `ConfigurationError` where a definition cannot be run."""
    if not pipeline.name or pipeline.version < 1:
        raise _refused(source, "a pipeline has a name, and a version of at least 1")
    _check_graph(source, pipeline)
    for phase in pipeline.phases:
        _check_phase(source, phase)
    if all(phase.when for phase in pipeline.phases):
        raise _refused(source, "every phase has a `when`; at least one must always be requested")
    if pipeline.provisioning_deadline_s <= 0:
        raise _refused(source, "provisioning_deadline_s must be above 0")
    _check_purge(source, pipeline, topics)


def _check_graph(source: str, pipeline: PipelineDefinition) -> None:
    names = [phase.name for phase in pipeline.phases]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise _refused(source, f"phases are there twice: {', '.join(repeated)}")
    for phase in pipeline.phases:
        unknown = [name for name in phase.after if name not in names]
        if unknown:
            raise _refused(source, f"{phase.name} comes after what is no phase here: {', '.join(unknown)}")
    try:
        TopologicalSorter({phase.name: phase.after for phase in pipeline.phases}).prepare()
    except CycleError as error:
        raise _refused(source, f"phases wait for each other: {' -> '.join(error.args[1])}") from error


def _check_phase(source: str, phase: PhaseDefinition) -> None:
    if phase.name not in PHASE_COMMANDS:
        raise _refused(source, f"{phase.name!r} is no phase that peers know: {', '.join(PHASE_COMMANDS)}")
    if phase.max_attempts != 1 and not phase.echoes_attempt:
        raise _refused(
            source, f"{phase.name}: max_attempts is {phase.max_attempts}, but its peer does not echo the attempt"
        )
    if phase.max_attempts != 1:
        raise _refused(source, f"{phase.name}: automatic attempts are not there yet; max_attempts must be 1")
    if not 0 < phase.stalled_after_s <= phase.deadline_s:
        raise _refused(source, f"{phase.name}: stalled_after_s must be above 0 and not above deadline_s")
    if phase.retry_backoff_s <= 0:
        raise _refused(source, f"{phase.name}: retry_backoff_s must be above 0")


def _check_purge(source: str, pipeline: PipelineDefinition, topics: TopicTable) -> None:
    least_s = topics.registrations_kept_ms // 1000
    if pipeline.purge_after_s <= least_s:
        raise _refused(
            source,
            f"purge_after_s is {pipeline.purge_after_s}; it must be above {least_s}, for as long as a repeat of a "
            "registration can be read from a topic",
        )


def _check_names(source: str, document: dict[str, Any]) -> None:
    unknown = set(document) - set(PipelineDefinition.__struct_fields__)
    for phase in document["phases"]:
        unknown |= set(phase) - set(PhaseDefinition.__struct_fields__)
    if unknown:
        raise _refused(source, f"unknown names: {', '.join(sorted(unknown))}")


def _refused(source: str, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"{source}: {fault}.",
        code=Code.PIPELINE,
        next_step="Correct the definition; docs/pipelines.md has its fields.",
    )
