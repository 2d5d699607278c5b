"""A pipeline definition as a graph: layers of the longest path, left to right."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from msgspec import Struct

from api.dashboard.drawings.svg import joined, number, tag
from api.dashboard.drawings.words import length
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.pipelines.graph import levels

_BOX_W = 196.0
_WITH_LOADS, _WITHOUT_LOADS = 92.0, 52.0
"""Heights of a box."""
_GAP_X, _GAP_Y = 56.0, 20.0
_PAD = 6.0


class PhaseLoad(Struct, frozen=True, kw_only=True):
    """What a phase does now and how long it usually takes."""

    running: int = 0
    """Batches in which it runs."""
    attention: int = 0
    """Batches in which it is held or stalled."""
    p50_ms: int | None = None
    p95_ms: int | None = None


def pipeline_graph(definition: PipelineDefinition, loads: Mapping[str, PhaseLoad] | None = None) -> Markup:
    """Return the graph of a definition as a figure, with a table of the same facts for screen readers.

    Without `loads` it shows the definition alone.
    """
    layers = levels(definition)
    tall = _WITHOUT_LOADS if loads is None else _WITH_LOADS
    boxes = _boxes(layers, tall)
    width = len(layers) * (_BOX_W + _GAP_X) - _GAP_X + 2 * _PAD
    height = max(map(len, layers)) * (tall + _GAP_Y) - _GAP_Y + 2 * _PAD
    drawing = tag(
        "svg",
        *(
            _edge(boxes[parent], boxes[phase.name], phase, tall)
            for phase in definition.phases
            for parent in phase.after
        ),
        *(
            _box(phase, boxes[phase.name], None if loads is None else loads.get(phase.name, PhaseLoad()), tall)
            for phase in definition.phases
        ),
        view_box=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        class_="pipeline-drawing",
        aria_hidden="true",
    )
    name = f"Graph of {definition.name}, version {definition.version}"
    return tag(
        "figure",
        tag("div", drawing, class_="pipeline-wide", tabindex=0, role="region", aria_label=name),
        _table(definition, loads or {}),
        class_="pipeline",
    )


def policies(phase: PhaseDefinition) -> list[str]:
    """Return what a phase does beside the ordinary, in a few words each."""
    found = [f"when {phase.when}"] if phase.when else []
    if phase.join == "any" and len(phase.after) > 1:
        found.append("after any")
    if phase.max_attempts > 1:
        found.append(f"{phase.max_attempts} attempts")
    if phase.on_failure == "hold":
        found.append("held on failure")
    if phase.on_partial_failure == "fail":
        found.append("one lost essay fails it")
    return found


def _boxes(layers: Sequence[Sequence[PhaseDefinition]], tall: float) -> dict[str, tuple[float, float]]:
    """Return where each box lies; layers are centred on the tallest one."""
    tallest = max(map(len, layers))
    found = {}
    for column, layer in enumerate(layers):
        top = _PAD + (tallest - len(layer)) * (tall + _GAP_Y) / 2
        for row, phase in enumerate(layer):
            found[phase.name] = (_PAD + column * (_BOX_W + _GAP_X), top + row * (tall + _GAP_Y))
    return found


def _edge(source: tuple[float, float], target: tuple[float, float], phase: PhaseDefinition, tall: float) -> Markup:
    x1, y1 = source[0] + _BOX_W, source[1] + tall / 2
    x2, y2 = target[0], target[1] + tall / 2
    bend = min(_GAP_X, x2 - x1) * 0.6
    line = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2 - 5:.1f} {y2:.1f}"
    optional = " edge-optional" if phase.when else ""
    return tag(
        "g",
        tag("path", d=line, class_=f"edge{optional}"),
        tag("path", d=f"M{x2 - 7:.1f} {y2 - 4:.1f}L{x2:.1f} {y2:.1f}L{x2 - 7:.1f} {y2 + 4:.1f}Z", class_="edge-head"),
    )


def _box(phase: PhaseDefinition, at: tuple[float, float], load: PhaseLoad | None, tall: float) -> Markup:
    x, y = at
    optional = " box-optional" if phase.when else ""
    parts = [
        tag("rect", x=x, y=y, width=_BOX_W, height=tall, rx=6, class_=f"box{optional}"),
        tag("text", _shortened(phase.name, 24), x=x + 12, y=y + 22, class_="phase-name"),
        tag("text", _shortened(" · ".join(policies(phase)) or "always", 32), x=x + 12, y=y + 40, class_="phase-note"),
    ]
    if load is not None:
        parts.append(tag("text", _usual(load), x=x + 12, y=y + 60, class_="phase-note"))
    if load is not None and (load.running or load.attention):
        tone = "stalled" if load.attention else "running"
        text = f"{load.attention} need you" if load.attention else f"{load.running:,} live"
        width = 14 + 6.6 * len(text)
        parts.append(
            tag(
                "g",
                tag("rect", x=x + 12, y=y + 67, width=width, height=18, rx=9),
                tag("text", text, x=x + 12 + width / 2, y=y + 80, class_="load-text"),
                class_=f"load tone-{tone}",
            )
        )
    return tag("g", *parts)


def _usual(load: PhaseLoad) -> str:
    if load.p50_ms is None or load.p95_ms is None:
        return "no times yet"
    return f"p50 {length(load.p50_ms)} · p95 {length(load.p95_ms)}"


def _table(definition: PipelineDefinition, loads: Mapping[str, PhaseLoad]) -> Markup:
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Phase", "Starts after", "Policy", "Usual", "Live")))
    rows = []
    for phase in definition.phases:
        load = loads.get(phase.name, PhaseLoad())
        word = " or " if phase.join == "any" else " and "
        cells = (
            word.join(phase.after) or "nothing",
            ", ".join(policies(phase)) or "always",
            _usual(load),
            f"{load.running:,} running, {load.attention:,} need attention",
        )
        rows.append(tag("tr", tag("th", phase.name, scope="row"), *(tag("td", cell) for cell in cells)))
    caption = tag("caption", f"Phases of {definition.name}, version {definition.version}")
    table = tag("table", caption, tag("thead", head), tag("tbody", joined(*rows)))
    return tag("div", table, class_="visually-hidden")  # a table itself would be as wide as its content


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
