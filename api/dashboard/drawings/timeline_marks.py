"""Decisions on a timeline: dots that are links; those that would overlap are one with a count."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from api.dashboard.drawings.svg import tag
from api.dashboard.drawings.time_scale import TimeScale
from api.dashboard.drawings.timeline_facts import Mark
from api.dashboard.views.times import utc
from schemas.internal.enums import Disposition

_APART_PX = 24.0
"""Least distance of two dots: the size of a target for a pointer."""
_REFUSED = frozenset({Disposition.REFUSED, Disposition.QUARANTINED, Disposition.UNKNOWN})


def marks(found: Sequence[Mark], middle: Callable[[str], float], scale: TimeScale, href: str) -> Markup:
    """Return the dots of all decisions, those of a phase under its bar. `href` has a place for the `{version}`."""
    drawn = []
    for phase in dict.fromkeys(mark.phase for mark in found):
        own = sorted((mark for mark in found if mark.phase == phase), key=lambda mark: mark.time_ms)
        y = middle(phase) + (13.0 if phase else 0.0)
        drawn += [_dot(cluster, scale, y, href) for cluster in _clusters(own, scale)]
    return tag("g", *drawn, class_="marks")


def _clusters(own: Sequence[Mark], scale: TimeScale) -> list[list[Mark]]:
    clusters: list[list[Mark]] = []
    for mark in own:
        if clusters and scale.x(mark.time_ms) - scale.x(clusters[-1][0].time_ms) < _APART_PX:
            clusters[-1].append(mark)
        else:
            clusters.append([mark])
    return clusters


def _dot(cluster: Sequence[Mark], scale: TimeScale, y: float, href: str) -> Markup:
    last = cluster[-1]
    kind = _kind(cluster)
    x = scale.x(cluster[0].time_ms)
    shapes = [tag("circle", cx=x, cy=y, r=4)]
    if kind == "refused":
        shapes.append(tag("path", d=f"M{x - 2.5:.1f} {y - 2.5:.1f}l5 5m0 -5l-5 5", class_="mark-cross"))
    if len(cluster) > 1:
        shapes.append(tag("text", str(len(cluster)), x=x + 6, y=y + 4, class_="mark-count"))
    told = f"{last.disposition.value} at {utc(last.time_ms)}"
    if len(cluster) > 1:
        told = f"{len(cluster)} decisions up to {utc(last.time_ms)}, the last one {last.disposition.value}"
    return tag(
        "a",
        tag("title", told),
        tag("rect", x=x - 12, y=y - 12, width=24, height=24, class_="mark-target"),
        *shapes,
        href=href.replace("{version}", str(last.version)),
        aria_label=told,
        class_=f"mark mark-{kind}",
    )


def _kind(cluster: Sequence[Mark]) -> str:
    """Return the kind of the weightiest decision."""
    dispositions = {mark.disposition for mark in cluster}
    if dispositions & _REFUSED:
        return "refused"
    return "applied" if Disposition.APPLIED in dispositions else "ignored"
