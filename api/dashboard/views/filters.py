"""The filter of the list of batches as chips, and the views that everybody needs."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from api.dashboard.views.links import list_url
from api.dashboard.views.words import batch_status_tone, phase_status_tone
from schemas.internal.enums import BatchStatus, PhaseStatus
from state.projection import StatusCounts

Items = Sequence[tuple[str, str]]
"""Names and values of a query, in the order given."""

CURSOR = "cursor"
_LABELS = {
    "status": "status",
    "phase": "phase",
    "phase_status": "phase is",
    "owner": "owner",
    "organisation": "organisation",
    "user": "user",
    "course": "course",
    "pipeline": "pipeline",
    "since": "changed within",
    "created_from": "registered since",
    "created_before": "registered before",
    "updated_from": "changed since",
    "updated_before": "changed before",
    "due_before": "due before",
    "due_within": "due within",
}
_FLAGS = {
    "stalled": ("stalled", "not stalled"),
    "held": ("held", "not held"),
    "paused": ("paused", "not paused"),
    "ended": ("ended", "live"),
    "attention": ("needs a person", "needs nobody"),
}


class Chip(Struct, frozen=True, kw_only=True):
    """One part of the filter."""

    name: str
    label: str
    value: str
    without_url: str
    """The list without it."""


class ListView(Struct, frozen=True, kw_only=True):
    """A filter under a name."""

    label: str
    url: str
    count: int | None
    """Number of its batches, where that is kept; None elsewhere."""
    tone: str
    active: bool


def given(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the filter of a query: what is neither empty nor the place in the list."""
    return [(name, value) for name, value in items if value and name != CURSOR]


def query_of(items: Items) -> dict[str, list[str]]:
    """Return all values by name."""
    found: dict[str, list[str]] = {}
    for name, value in items:
        found.setdefault(name, []).append(value)
    return found


def chips(items: Items) -> tuple[Chip, ...]:
    """Return a chip for each part of a filter."""
    return tuple(_chip(items, place) for place in range(len(items)))


def without(items: Items, place: int) -> list[tuple[str, str]]:
    """Return a filter without one of its parts."""
    return [each for index, each in enumerate(items) if index != place]


def _chip(items: Items, place: int) -> Chip:
    name, value = items[place]
    label, shown = _LABELS.get(name, name), value
    if name in _FLAGS:
        yes, no = _FLAGS[name]
        label, shown = "", yes if value.lower() in {"yes", "true", "1", "on"} else no
    elif name == "status":
        shown = ", ".join(batch_status_tone(BatchStatus(word)).word for word in value.split(",") if word)
    elif name == "phase_status":
        shown = phase_status_tone(PhaseStatus(value)).word
    return Chip(name=name, label=label, value=shown, without_url=list_url(query_of(without(items, place))))


_VIEWS: tuple[tuple[str, Mapping[str, str], str], ...] = (
    ("All", {}, ""),
    ("Live", {"ended": "no"}, "running"),
    ("Needs a person", {"attention": "yes"}, "stalled"),
    ("Failed, 24 h", {"status": "failed_critically", "since": "24h"}, "failed"),
    ("Paused", {"paused": "yes"}, "paused"),
    ("Due in 1 h", {"due_before": "1h"}, "idle"),
)


def list_views(items: Items, counts: StatusCounts, known: Iterable[str]) -> tuple[ListView, ...]:
    """Return the views that everybody has; `known` are the names that a filter can have."""
    live = sum(number for word, number in counts.batches.items() if not BatchStatus(word).terminal)
    kept = {
        "All": sum(counts.batches.values()),
        "Live": live,
        "Needs a person": counts.attention,
        "Paused": counts.paused,
    }
    now = sorted(items)
    names = frozenset(known)
    return tuple(
        ListView(
            label=label,
            url=list_url(query),
            count=kept.get(label),
            tone=tone,
            active=sorted(query.items()) == now,
        )
        for label, query, tone in _VIEWS
        if names.issuperset(query)
    )
