"""The order of a pipeline's phases, as text and as a Mermaid diagram."""

from graphlib import TopologicalSorter

from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition


def levels(pipeline: PipelineDefinition) -> list[list[PhaseDefinition]]:
    """Return the phases by when they can start at the earliest; those of one level run in parallel."""
    by_name = {phase.name: phase for phase in pipeline.phases}
    order = TopologicalSorter({phase.name: phase.after for phase in pipeline.phases})
    order.prepare()
    found: list[list[PhaseDefinition]] = []
    while order.is_active():
        ready = set(order.get_ready())
        found.append([phase for name, phase in by_name.items() if name in ready])
        order.done(*ready)
    return found


def as_text(pipeline: PipelineDefinition) -> str:
    """Return one line for each phase, level by level."""
    lines = [f"{pipeline.name}, version {pipeline.version}"]
    width = max(len(phase.name) for phase in pipeline.phases)
    for number, level in enumerate(levels(pipeline), start=1):
        lines += [f"  {number}  {phase.name:<{width}}  {_told(phase)}".rstrip() for phase in level]
    return "\n".join(lines)


def as_mermaid(pipeline: PipelineDefinition) -> str:
    """Return the phases as a Mermaid flow chart; a phase that a flag asks for has a dashed arrow to it."""
    node = {phase.name: f"p{number}" for number, phase in enumerate(pipeline.phases)}
    lines = ["flowchart LR"]
    lines += [f'    {node[phase.name]}["{_label(phase)}"]' for phase in pipeline.phases]
    for phase in pipeline.phases:
        arrow = "-.->" if phase.when else "-->"
        joined = "|any|" if phase.join == "any" and len(phase.after) > 1 else ""
        lines += [f"    {node[name]} {arrow}{joined} {node[phase.name]}" for name in phase.after]
    return "\n".join(lines)


def _label(phase: PhaseDefinition) -> str:
    details = [detail for detail in (_when(phase), *_policy(phase)) if detail]
    return "<br/>".join([phase.name, *details])


def _told(phase: PhaseDefinition) -> str:
    joined = " or ".join(phase.after) if phase.join == "any" else ", ".join(phase.after)
    return "; ".join(
        detail for detail in (f"after {joined}" if joined else "", _when(phase), *_policy(phase)) if detail
    )


def _when(phase: PhaseDefinition) -> str:
    return f"when {phase.when}" if phase.when else ""


def _policy(phase: PhaseDefinition) -> list[str]:
    found = []
    if phase.max_attempts > 1:
        found.append(f"{phase.max_attempts} attempts")
    if phase.on_partial_failure == "fail":
        found.append("fails with one essay")
    if phase.on_failure == "hold":
        found.append("held when it fails")
    return found
