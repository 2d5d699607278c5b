"""The graph of a batch's pipeline: what a phase waits for, what comes before it and after it."""

from collections.abc import Collection

from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.batch import Batch


def definition_of(batch: Batch, phase: str) -> PhaseDefinition:
    """Return the definition of a phase of the batch's pipeline."""
    for definition in batch.pipeline.phases:
        if definition.name == phase:
            return definition
    raise KeyError(phase)


def dependencies(batch: Batch, phase: str) -> tuple[str, ...]:
    """Return the requested phases that `phase` waits for, with its own dependencies in place of one not requested."""
    own = definition_of(batch, phase).after
    if not own or set(own).issubset(batch.requested_phases):
        return own
    return dependencies_in(batch.pipeline, batch.requested_phases, phase)


def dependencies_in(pipeline: PipelineDefinition, requested: Collection[str], phase: str) -> tuple[str, ...]:
    """Return the `requested` phases that `phase` waits for, with the dependencies of one that is not in its place."""
    after = {definition.name: definition.after for definition in pipeline.phases}
    found: dict[str, None] = {}
    stack = list(reversed(after[phase]))
    while stack:
        name = stack.pop()
        if name in requested:
            found[name] = None
        else:
            stack.extend(reversed(after[name]))
    return tuple(found)


def ancestors(batch: Batch, phase: str) -> tuple[str, ...]:
    """Return all phases that come before `phase`, at any distance, in topological order.

    Of two that do not wait for each other, the one that the pipeline lists first comes first.
    """
    if not definition_of(batch, phase).after:
        return ()
    after = {definition.name: definition.after for definition in batch.pipeline.phases}
    wanted: set[str] = set()
    stack = list(after[phase])
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            stack.extend(after[name])
    if len(wanted) < 2:
        return tuple(wanted)
    placed: dict[str, None] = {}
    while len(placed) < len(wanted):
        placed[next(n for n in after if n in wanted and n not in placed and placed.keys() >= set(after[n]))] = None
    return tuple(placed)


def descendants(batch: Batch, phase: str) -> tuple[str, ...]:
    """Return all phases that come after `phase`, at any distance, in the order of the pipeline definition."""
    return descendants_in(batch.pipeline, phase)


def descendants_in(pipeline: PipelineDefinition, phase: str) -> tuple[str, ...]:
    """Return all phases of a definition that come after `phase`, at any distance, in its order."""
    reached = {phase}
    grown = True
    while grown:
        more = {d.name for d in pipeline.phases if not reached.isdisjoint(d.after)} - reached
        reached |= more
        grown = bool(more)
    return tuple(d.name for d in pipeline.phases if d.name in reached and d.name != phase)
