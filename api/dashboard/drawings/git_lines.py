"""Dependencies between the rows of a list as lines in a gutter, as a git graph draws them. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

_GUTTER_PX = 64.0
_MARGIN_PX = 10.0
_WIDEST_PX = 16.0
_BEND_PX = 10.0


class Line(Struct, frozen=True):
    """A dependency: from the row of a phase to the row of one that comes after it."""

    source: str
    target: str
    path: str
    """The `d` of an SVG path."""


class Gutter(Struct, frozen=True):
    """Where the nodes lie, and the lines between them."""

    node_x: dict[str, float]
    lines: tuple[Line, ...]


def gutter(rows: Sequence[str], after: Mapping[str, Sequence[str]], y: Mapping[str, float]) -> Gutter:
    """Return the gutter of `rows`, which are in topological order; `y` is the middle of each row."""
    edges = [(parent, row) for row in rows for parent in after.get(row, ()) if parent in y]
    lanes: list[tuple[str, str] | None] = []
    node_lane: dict[str, int] = {}
    edge_lane: dict[tuple[str, str], int] = {}
    for row in rows:
        incoming = [edge for edge in edges if edge[1] == row]
        own = min((edge_lane[edge] for edge in incoming), default=None)
        for edge in incoming:
            lanes[edge_lane[edge]] = None
        node_lane[row] = _take(lanes, None) if own is None else own
        for place, edge in enumerate(edge for edge in edges if edge[0] == row):
            edge_lane[edge] = node_lane[row] if place == 0 else _take(lanes, edge, node_lane[row])
            lanes[edge_lane[edge]] = edge
    step = min(_WIDEST_PX, (_GUTTER_PX - 2 * _MARGIN_PX) / max(1, len(lanes) - 1))
    xs = {row: _MARGIN_PX + lane * step for row, lane in node_lane.items()}
    lines = tuple(
        Line(parent, row, _path(xs[parent], y[parent], _MARGIN_PX + edge_lane[parent, row] * step, xs[row], y[row]))
        for parent, row in edges
    )
    return Gutter(xs, lines)


def _take(lanes: list[tuple[str, str] | None], edge: tuple[str, str] | None, above: int = -1) -> int:
    """Return a free lane, beyond `above`; make one if there is none."""
    for number, taken in enumerate(lanes):
        if taken is None and number > above:
            lanes[number] = edge
            return number
    lanes.append(edge)
    return len(lanes) - 1


def _path(x1: float, y1: float, lane_x: float, x2: float, y2: float) -> str:
    bend = min(_BEND_PX, (y2 - y1) / 2)
    parts = [f"M{x1:.1f} {y1:.1f}"]
    if lane_x != x1:
        parts.append(f"Q{lane_x:.1f} {y1:.1f} {lane_x:.1f} {y1 + bend:.1f}")
    parts.append(f"V{y2 - bend:.1f}")
    parts.append(f"V{y2:.1f}" if lane_x == x2 else f"Q{lane_x:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
    return "".join(parts)
