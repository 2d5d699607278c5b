"""Bars of a timeline. The colour is the status, the pattern is the kind of time."""

from markupsafe import Markup

from api.dashboard.drawings.svg import number, tag
from api.dashboard.drawings.time_scale import Piece, TimeScale
from api.dashboard.drawings.timeline_facts import Span

HEIGHT = 16.0
GHOST_INSET = 8.0
_LETTER_PX = 6.4
"""Width of a letter of a bar's label, for the question whether it fits."""
_LEAST_PX = 3.0
_HATCH_PX = 6.0


def bar(span: Span, scale: TimeScale, end_ms: int, y: float, label: str) -> Markup:
    """Return the bar of a span around the line `y`; one that goes on has an open edge."""
    left, right = scale.x(span.start_ms), scale.x(end_ms)
    width = max(_LEAST_PX, right - left)
    top = y - HEIGHT / 2
    if span.kind == "waiting":
        return tag("rect", x=left, y=top + 4, width=width, height=HEIGHT - 8, rx=3, class_="bar-waiting")
    if span.kind == "backing_off":
        return tag("line", x1=left, x2=left + width, y1=y, y2=y, class_="bar-backing-off")
    shape = _closed(left, top, width) if span.end_ms is not None else _open(left, top, width)
    kind = "bar-held" if span.kind == "held" else "bar"
    parts = [shape, *_label(label, left, width, y)]
    return tag("g", *parts, class_=f"{kind} tone-{span.tone}{'' if span.end_ms is not None else ' bar-open'}")


def ghost(scale: TimeScale, start_ms: int, usual_ms: int, y: float) -> Markup:
    """Return the pale bar of what the phase usually takes."""
    left, right = scale.x(start_ms), scale.x(start_ms + usual_ms)
    top, height = y - HEIGHT / 2 - 3, HEIGHT + 6
    pale = tag("rect", x=left, y=top, width=max(_LEAST_PX, right - left), height=height, rx=4)
    end = f"M{number(right)} {number(top - 1)}v5M{number(right)} {number(top + height - 4)}v5"
    return tag("g", pale, tag("path", d=end), class_="ghost")


def pause(scale: TimeScale, since_ms: int, until_ms: int, top: float, bottom: float) -> Markup:
    """Return the hatched stretch of a pause over all rows."""
    left, right = scale.x(since_ms), scale.x(until_ms)
    steps = max(1, int((right - left) // _HATCH_PX))
    lines = "".join(
        f"M{number(left + step * _HATCH_PX)} {number(bottom)}L{number(left + (step + 1) * _HATCH_PX)} {number(top)}"
        for step in range(steps)
    )
    return tag(
        "g",
        tag("rect", x=left, y=top, width=max(_LEAST_PX, right - left), height=bottom - top, class_="pause-ground"),
        tag("path", d=lines, class_="pause-hatch"),
        tag("text", "paused", x=left + 4, y=top + 11, class_="pause-text"),
        aria_hidden="true",
    )


def fold(piece: Piece, top: float, bottom: float) -> Markup:
    """Return the zigzag of a folded stretch."""
    middle = (piece.left + piece.right) / 2
    steps = max(1, int((bottom - top) // 12))
    line = f"M{number(middle)} {number(top)}" + "".join("l5 6l-5 6" for _ in range(steps))
    width = piece.right - piece.left
    return tag(
        "g",
        tag("rect", x=piece.left, y=top, width=width, height=bottom - top, class_="fold-ground"),
        tag("path", d=line, class_="fold-line"),
        aria_hidden="true",
    )


def _closed(left: float, top: float, width: float) -> Markup:
    return tag("rect", x=left, y=top, width=width, height=HEIGHT, rx=min(4.0, width / 2))


def _open(left: float, top: float, width: float) -> Markup:
    """Return a bar whose right edge is jagged: it goes on."""
    right = left + width
    step = HEIGHT / 4
    edge = f"l-3 {step:g}l3 {step:g}" * 2
    path = f"M{number(left)} {number(top)}H{number(right)}{edge}H{number(left)}Z"
    return tag("path", d=path)


def _label(label: str, left: float, width: float, y: float) -> list[Markup]:
    if not label:
        return []
    if len(label) * _LETTER_PX + 12 <= width:
        return [tag("text", label, x=left + 6, y=y + 4, class_="bar-text")]
    return []
