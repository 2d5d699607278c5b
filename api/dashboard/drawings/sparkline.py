"""Sparklines: the course of a number over the last hour, with its least, largest and last value as text."""

from collections.abc import Sequence

from markupsafe import Markup

from api.dashboard.drawings.svg import number, tag

_PAD = 2.5


def sparkline(
    points: Sequence[float | None], *, label: str, unit: str = "", width: int = 120, height: int = 28
) -> Markup:
    """Return a line through the points, the oldest first; a point that is None leaves a gap.

    The label and the values are what a screen reader says.
    """
    known = [point for point in points if point is not None]
    if not known:
        return tag("span", f"{label}: no values yet", class_="visually-hidden")
    least, most = min(known), max(known)
    told = f"{label}: least {_said(least, unit)}, largest {_said(most, unit)}, last {_said(known[-1], unit)}"
    step = (width - 2 * _PAD) / max(1, len(points) - 1)
    places = [
        None if point is None else (_PAD + place * step, _y(point, least, most, height))
        for place, point in enumerate(points)
    ]
    last = next(place for place in reversed(places) if place is not None)
    return tag(
        "svg",
        tag("path", d=_area(places, height), class_="spark-area"),
        tag("path", d=_line(places), class_="spark-line"),
        tag("circle", cx=last[0], cy=last[1], r=2, class_="spark-last"),
        view_box=f"0 0 {width} {height}",
        width=width,
        height=height,
        class_="sparkline",
        role="img",
        aria_label=told,
    )


def _y(point: float, least: float, most: float, height: int) -> float:
    """Zero lies at the foot unless there are values below; a constant line lies low."""
    floor = min(0.0, least)
    share = (point - floor) / (most - floor) if most > floor else 0.0
    return height - _PAD - share * (height - 2 * _PAD)


def _line(places: Sequence[tuple[float, float] | None]) -> str:
    parts, pen = [], "M"
    for place in places:
        if place is None:
            pen = "M"
            continue
        parts.append(f"{pen}{number(place[0])} {number(place[1])}")
        pen = "L"
    return "".join(parts)


def _area(places: Sequence[tuple[float, float] | None], height: int) -> str:
    known = [place for place in places if place is not None]
    line = "".join(f"L{number(x)} {number(y)}" for x, y in known)
    return f"M{number(known[0][0])} {height}{line}L{number(known[-1][0])} {height}Z"


def _said(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()
