"""A bar of parts of a whole, such as live batches by status, with a legend of links."""

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from api.dashboard.drawings.svg import joined, tag

_LEAST_PERCENT = 1.5
"""Width of a part that would be too thin to be seen."""


class Part(Struct, frozen=True, kw_only=True):
    """One part."""

    label: str
    count: int
    tone: str
    """Name of a tone of tokens.css."""
    href: str | None = None
    """Where the counted things are listed."""


def status_bar(parts: Sequence[Part], *, label: str) -> Markup:
    """Return the bar and its legend; parts without a count stand in the legend alone."""
    return tag("div", _bar(parts), _legend(parts, label), class_="status-bar")


def proportion_bar(parts: Sequence[Part]) -> Markup:
    """Return the bar alone; what it shows has to stand beside it as text."""
    return _bar(parts)


def _bar(parts: Sequence[Part]) -> Markup:
    total = sum(part.count for part in parts)
    if not total:
        return tag(
            "svg", _rect(0, 100, "part-none"), width="100%", height=12, class_="bar-of-parts", aria_hidden="true"
        )
    widths = [max(_LEAST_PERCENT, 100 * part.count / total) if part.count else 0.0 for part in parts]
    whole = sum(widths)
    left, rects = 0.0, []
    for part, width in zip(parts, widths, strict=True):
        share = 100 * width / whole
        if share:
            rects.append(_rect(left, share, f"part tone-{part.tone}"))
        left += share
    return tag("svg", *rects, width="100%", height=12, class_="bar-of-parts", aria_hidden="true")


def _rect(left: float, width: float, kind: str) -> Markup:
    return tag("rect", x=f"{left:.2f}%", y=0, width=f"{width:.2f}%", height=12, class_=kind)


def _legend(parts: Sequence[Part], label: str) -> Markup:
    return tag("ul", *(tag("li", _entry(part), class_=f"tone-{part.tone}") for part in parts), aria_label=label)


def _entry(part: Part) -> Markup:
    words = joined(
        tag("svg", tag("rect", width=10, height=10, rx=2), width=10, height=10, class_="swatch", aria_hidden="true"),
        tag("b", f"{part.count:,}"),
        " ",
        part.label,
    )
    return words if part.href is None else tag("a", words, href=part.href)
