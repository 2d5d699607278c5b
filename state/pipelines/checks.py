"""Rules that a pipeline definition must keep, so that a batch can run it to its end."""

import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from schemas.internal.pipeline import DAY_S, PhaseDefinition, PipelineDefinition
from schemas.public.registration import HeadRegistration
from schemas.topics import PHASE_COMMANDS, TopicTable
from state.decision.attempts import MAX_ATTEMPTS
from state.pipelines.lines import Place

LONGEST_S = 3_650 * DAY_S
"""Longest time of any kind, in seconds: ten years."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_STATUS_FIELDS = frozenset({"batch_id", "requested_pipelines", "last_updated"})
"""Names that stand beside those of the phases in the status over HTTP."""
_FLAGS = frozenset({"enable_cj_assessment"})
_NO_FLAGS = frozenset(HeadRegistration.model_fields) - _FLAGS
"""Fields of a registration that are not true or false."""


class Fault(NamedTuple):
    """A rule that a definition breaks."""

    path: Place
    """Where in the file."""
    text: str
    """What is wrong, as a sentence without its full stop."""


def faults(pipelines: Sequence[PipelineDefinition], topics: TopicTable) -> Iterator[Fault]:
    """Yield every rule that the definitions break."""
    names = [pipeline.name for pipeline in pipelines]
    for number, pipeline in enumerate(pipelines):
        if pipeline.name in names[:number]:
            yield Fault(("pipelines", number, "name"), f"pipeline {pipeline.name} is there twice")
        for fault in _pipeline(pipeline, topics):
            yield Fault(("pipelines", number, *fault.path), fault.text)
    yield from _collisions(pipelines, topics)


def _pipeline(pipeline: PipelineDefinition, topics: TopicTable) -> Iterator[Fault]:
    if not _NAME.fullmatch(pipeline.name):
        yield Fault(("name",), f"{pipeline.name!r} is no name: {_NAMES}")
    if pipeline.version < 1:
        yield Fault(("version",), f"version is {pipeline.version}; it must be at least 1")
    for number, phase in enumerate(pipeline.phases):
        for fault in _phase(phase):
            yield Fault(("phases", number, *fault.path), fault.text)
    yield from _graph(pipeline)
    if not pipeline.phases:
        yield Fault(("phases",), "a pipeline has at least one phase")
    elif all(phase.when for phase in pipeline.phases):
        yield Fault(("phases",), "every phase has a `when`; at least one must always be requested")
    if not 0 < pipeline.provisioning_deadline_s <= LONGEST_S:
        yield Fault(("provisioning_deadline_s",), f"provisioning_deadline_s must be from 1 to {LONGEST_S}")
    yield from _purge(pipeline, topics)


_NAMES = "a name has 1 to 64 letters, digits, dots, hyphens or underscores, and begins with a letter or a digit"


def _phase(phase: PhaseDefinition) -> Iterator[Fault]:
    name = phase.name
    if not _NAME.fullmatch(name):
        yield Fault(("name",), f"{name!r} is no name: {_NAMES}")
    elif name in _STATUS_FIELDS:
        yield Fault(("name",), f"{name} is a field of a batch's status, so no phase can have that name")
    elif phase.payload == "huleedu" and name not in PHASE_COMMANDS:
        yield Fault(
            ("name",),
            f'{name} is no phase that HuleEdu\'s peers know ({", ".join(PHASE_COMMANDS)}); with payload = "generic" a '
            "phase has any name",
        )
    if phase.payload == "huleedu" and phase.command_topic:
        yield Fault(
            ("command_topic",), f'{name}: command_topic is for payload = "generic"; peers read the topic they know'
        )
    if phase.when in _NO_FLAGS:
        yield Fault(("when",), f"{name}: `{phase.when}` is a field of the registration that is not true or false")
    yield from _attempts(phase)
    yield from _times(phase)


def _attempts(phase: PhaseDefinition) -> Iterator[Fault]:
    name = phase.name
    if not 1 <= phase.max_attempts <= MAX_ATTEMPTS:
        yield Fault(
            ("max_attempts",), f"{name}: max_attempts is {phase.max_attempts}; it must be from 1 to {MAX_ATTEMPTS}"
        )
    elif phase.max_attempts > 1 and not phase.echoes_attempt:
        yield Fault(
            ("max_attempts",),
            f"{name}: max_attempts is {phase.max_attempts}, but its peer does not echo the attempt; set echoes_attempt "
            "where it does, or leave max_attempts out",
        )
    if phase.payload == "generic" and not phase.echoes_attempt:
        yield Fault(("echoes_attempt",), f"{name}: a worker of the generic command always names the attempt")


def _times(phase: PhaseDefinition) -> Iterator[Fault]:
    name = phase.name
    if not 0 < phase.deadline_s <= LONGEST_S:
        yield Fault(("deadline_s",), f"{name}: deadline_s is {phase.deadline_s}; it must be from 1 to {LONGEST_S}")
    elif not 0 < phase.stalled_after_s <= phase.deadline_s:
        # Where the file gives the deadline alone, that is what the line is about.
        yield Fault(
            ("stalled_after_s",)
            if phase.stalled_after_s != PhaseDefinition(name="").stalled_after_s
            else ("deadline_s",),
            f"{name}: stalled_after_s is {phase.stalled_after_s}; it must be above 0 and not above deadline_s "
            f"({phase.deadline_s})",
        )
    if not 0 < phase.hold_s <= LONGEST_S:
        yield Fault(("hold_s",), f"{name}: hold_s is {phase.hold_s}; it must be from 1 to {LONGEST_S}")
    if phase.retry_backoff_s <= 0:
        yield Fault(("retry_backoff_s",), f"{name}: retry_backoff_s is {phase.retry_backoff_s}; it must be above 0")
    elif phase.retry_backoff_s * 2 ** min(max(phase.max_attempts - 2, 0), MAX_ATTEMPTS) > LONGEST_S:
        yield Fault(
            ("retry_backoff_s",),
            f"{name}: with retry_backoff_s {phase.retry_backoff_s}, which doubles, the pause before attempt "
            f"{phase.max_attempts} is longer than {LONGEST_S}",
        )


def _graph(pipeline: PipelineDefinition) -> Iterator[Fault]:
    names = [phase.name for phase in pipeline.phases]
    whole = True
    for number, phase in enumerate(pipeline.phases):
        if phase.name in names[:number]:
            yield Fault(("phases", number, "name"), f"phase {phase.name} is there twice")
            whole = False
        unknown = [name for name in phase.after if name not in names]
        if unknown:
            yield Fault(
                ("phases", number, "after"), f"{phase.name} comes after what is no phase here: {', '.join(unknown)}"
            )
    if not whole:
        return
    try:
        TopologicalSorter({phase.name: phase.after for phase in pipeline.phases}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        number = min(names.index(name) for name in circle)
        yield Fault(("phases", number, "after"), f"phases wait for each other: {' -> '.join(circle)}")


def _purge(pipeline: PipelineDefinition, topics: TopicTable) -> Iterator[Fault]:
    least_s = topics.registrations_kept_ms // 1000
    if not least_s < pipeline.purge_after_s <= LONGEST_S:
        yield Fault(
            ("purge_after_s",),
            f"purge_after_s is {pipeline.purge_after_s}; it must be above {least_s}, for as long as a repeat of a "
            f"registration can be read from a topic, and not above {LONGEST_S}",
        )


def _collisions(pipelines: Sequence[PipelineDefinition], topics: TopicTable) -> Iterator[Fault]:
    """Yield command topics that cannot be topics of their own.

    Kafka refuses names that differ in dots and underscores alone. Two pipelines may command one worker, under one
    name of the phase: a worker answers for the phase that its command names.
    """
    taken = {_folded(spec.name): spec.name for spec in topics.specs() if spec.name not in topics.commands}
    commanded: dict[str, tuple[str, str]] = {}
    for number, pipeline in enumerate(pipelines):
        for index, phase in enumerate(pipeline.phases):
            if phase.payload != "generic" or not _NAME.fullmatch(phase.name):
                continue
            name = topics.phase_command(phase.name, phase.command_topic)
            path: Place = ("pipelines", number, "phases", index, "command_topic" if phase.command_topic else "name")
            if not _TOPIC.fullmatch(name) or name in {".", ".."}:
                yield Fault(path, f"{phase.name}: {name!r} is no name of a topic")
                continue
            if _folded(name) in taken:
                yield Fault(path, f"{phase.name}: {name} is, or to Kafka looks like, the topic {taken[_folded(name)]}")
                continue
            other, by = commanded.setdefault(_folded(name), (name, phase.name))
            if (other, by) != (name, phase.name):
                yield Fault(path, f"{phase.name}: {name} is, or to Kafka looks like, {other}, which commands {by}")


def _folded(topic: str) -> str:
    return topic.replace(".", "_")
