"""The overview: what needs a person, what runs, how fast, and what is due."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from api.dashboard.views.batch import deadline_text
from api.dashboard.views.links import batch_url, list_url
from api.dashboard.views.words import (
    HELD,
    PAUSED,
    STALLED,
    Tone,
    batch_status_tone,
    counted,
    disposition_tone,
    short_id,
)
from api.queries.system import GateState, ProjectionState, SystemState
from schemas.internal.enums import BatchStatus, Disposition
from schemas.internal.status import StatusRecord
from state.projection.batch_models import Due, PhaseStats, Stats
from state.why import Lag, Why, WhyCode

MOST_NAMED = 3
"""Batches that a group names; the rest is behind its link."""
_SHOWN_DEADLINES = 5
_BEHIND_S = 5.0
_GATE_BEHIND_S = 60.0
"""The gate of the timekeeper moves with what the router reads, so that it is always a little behind."""
CURRENT = Tone("done", "done", "current")
BEHIND = Tone("stalled", "stalled", "behind")
LOST = Tone("failed", "failed", "unavailable")
SILENT = Tone("idle", "waiting", "no report")
_ALL_DISPOSITIONS = (
    Disposition.APPLIED,
    Disposition.DUPLICATE,
    Disposition.STALE,
    Disposition.REFUSED,
    Disposition.UNKNOWN,
    Disposition.QUARANTINED,
)
_LATE = Tone("stalled", "stalled", "needs a person")
_BROKEN = Tone("failed", "failed", "failed")


class NamedBatch(Struct, frozen=True, kw_only=True):
    """A batch as a link."""

    url: str
    short: str
    title: str


class AttentionGroup(Struct, frozen=True, kw_only=True):
    """Batches that need a person for one reason."""

    tone: Tone
    code: str
    title: str
    count: int
    since_ms: int
    """Since when the oldest of them waits."""
    sentence: str
    """What is said of the oldest."""
    batches: tuple[NamedBatch, ...]
    more: int


class StatusPart(Struct, frozen=True, kw_only=True):
    """How many live batches look like this."""

    tone: Tone
    count: int
    url: str


class PhaseRow(Struct, frozen=True, kw_only=True):
    """One phase over all batches."""

    name: str
    url: str
    batches: int
    essays: int
    oldest_start_ms: int | None
    late: bool
    """Its oldest attempt has run for longer than 95 % of the recent ones."""
    drain: str
    eta_ms: int | None
    eta_note: str
    failed: int
    failed_url: str
    points: tuple[int, ...]
    usual: str


class Station(Struct, frozen=True, kw_only=True):
    """A stop on the way of an event."""

    name: str
    what: str
    tone: Tone
    seconds: float | None
    """How far it is behind; None where nothing is known."""


class CountedWord(Struct, frozen=True, kw_only=True):
    """A number under a word."""

    tone: Tone
    count: int
    share: float


class DeadlineRow(Struct, frozen=True, kw_only=True):
    """A deadline and its batch."""

    batch: NamedBatch
    what: str
    due_ms: int
    passed: bool


class Overview(Struct, frozen=True, kw_only=True):
    """Everything that the overview shows."""

    attention: tuple[AttentionGroup, ...]
    attention_total: int
    live: int
    parts: tuple[StatusPart, ...]
    phases: tuple[PhaseRow, ...]
    stations: tuple[Station, ...]
    dispositions: tuple[CountedWord, ...]
    decided: int
    deadlines: tuple[DeadlineRow, ...]
    missed: int
    ended: int
    registered: int
    never_used: bool
    """No batch was ever registered."""


_TITLES = {
    WhyCode.DEAD_LETTER_OPEN: "A record was set aside",
    WhyCode.DEADLINE_PASSED: "A deadline has passed without a decision",
    WhyCode.PHASE_HELD: "A phase is held for a person",
    WhyCode.PHASE_STALLED: "A phase has stalled",
    WhyCode.OUTCOME_OVERDUE: "An outcome is overdue",
    WhyCode.ENDED_IN_FAILURE: "Failed within 24 hours",
    WhyCode.ENDED_PARTLY: "Partly completed",
    WhyCode.PIPE_BEHIND: "The way of its events is behind",
    WhyCode.UNKNOWN: "Nothing of it is under way",
}


def attention_groups(found: Sequence[tuple[StatusRecord, Why]]) -> tuple[AttentionGroup, ...]:
    """Return the batches by why they need a person, what waits longest first."""
    by_code: dict[WhyCode, list[tuple[StatusRecord, Why]]] = {}
    for record, why in found:
        by_code.setdefault(why.code, []).append((record, why))
    groups = [_group(code, sorted(each, key=lambda pair: pair[1].since_ms)) for code, each in by_code.items()]
    return tuple(sorted(groups, key=lambda group: (group.tone.name == "failed", group.since_ms)))


def _group(code: WhyCode, found: Sequence[tuple[StatusRecord, Why]]) -> AttentionGroup:
    why = found[0][1]
    return AttentionGroup(
        tone=_BROKEN if code in (WhyCode.ENDED_IN_FAILURE, WhyCode.DEAD_LETTER_OPEN) else _LATE,
        code=code.value,
        title=_TITLES.get(code, code.value.replace("_", " ")),
        count=len(found),
        since_ms=why.since_ms,
        sentence=why.sentence,
        batches=tuple(_named(record) for record, _ in found[:MOST_NAMED]),
        more=max(0, len(found) - MOST_NAMED),
    )


def _named(record: StatusRecord) -> NamedBatch:
    context = record.context
    title = " · ".join(filter(None, (context.class_designation, context.course_code_given)))
    return NamedBatch(url=batch_url(record.batch_id), short=short_id(record.batch_id), title=title)


def overview(
    stats: Stats,
    attention: Sequence[tuple[StatusRecord, Why]],
    system: SystemState,
    *,
    now_ms: int,
    order: Sequence[str] = (),
) -> Overview:
    """Return the overview of the present moment; `order` is that of the phases in the pipelines."""
    places = {name: place for place, name in enumerate(order)}
    phases = sorted(stats.phases, key=lambda each: (places.get(each.phase, len(places)), each.phase))
    total = sum(stats.dispositions.values())
    return Overview(
        attention=attention_groups(attention),
        attention_total=stats.counts.attention,
        live=stats.live,
        parts=_parts(stats),
        phases=tuple(_phase(each, now_ms) for each in phases),
        stations=_stations(system.lags, system.projection, system.gate),
        dispositions=tuple(_disposition(each, stats.dispositions, total) for each in _ALL_DISPOSITIONS),
        decided=total,
        deadlines=_deadlines(stats, now_ms),
        missed=stats.missed,
        ended=sum(stats.ended),
        registered=sum(stats.registered),
        never_used=not stats.counts.batches,
    )


def _parts(stats: Stats) -> tuple[StatusPart, ...]:
    """Return live batches by how they look; those that are paused, held or stalled are taken out of processing."""
    counts = stats.counts
    apart = counts.stalled + counts.held + counts.paused
    found = []
    for status in BatchStatus:
        if status.terminal:
            continue
        count = counts.batches.get(status.value, 0)
        if status is BatchStatus.PROCESSING_PIPELINES:
            count = max(0, count - apart)
        found.append(StatusPart(tone=batch_status_tone(status), count=count, url=list_url(status=status.value)))
    found += [
        StatusPart(tone=STALLED, count=counts.stalled, url=list_url(stalled="yes", ended="no")),
        StatusPart(tone=HELD, count=counts.held, url=list_url(held="yes", ended="no")),
        StatusPart(tone=PAUSED, count=counts.paused, url=list_url(paused="yes", ended="no")),
    ]
    return tuple(found)


def _phase(stats: PhaseStats, now_ms: int) -> PhaseRow:
    usual = stats.usual
    oldest = stats.oldest_start_ms
    note = "" if stats.essays else "idle"
    if stats.essays and stats.eta_ms is None:
        note = "nothing drains"
    return PhaseRow(
        name=stats.phase,
        url=list_url(phase=stats.phase, phase_status="dispatch_initiated"),
        batches=stats.batches,
        essays=stats.essays,
        oldest_start_ms=oldest,
        late=oldest is not None and usual.samples > 0 and now_ms - oldest > usual.p95_ms,
        drain=f"{stats.drain_per_minute:,.1f}".removesuffix(".0"),
        eta_ms=stats.eta_ms if stats.essays else None,
        eta_note=note,
        failed=stats.failed_last_hour,
        failed_url=list_url(phase=stats.phase, phase_status="failed"),
        points=stats.drained,
        usual="" if not usual.samples else f"{usual.p50_ms}",
    )


_WAY = (
    ("router", "router", "sorts what clients and peers send"),
    ("orchestrator", "inbox", "decides each record once"),
)


def _stations(lags: Iterable[Lag], projection: ProjectionState, gate: GateState | None) -> tuple[Station, ...]:
    """Return the processes on the way of an event, each with the largest lag of its partitions."""
    worst: dict[str, Lag] = {}
    for lag in lags:
        if lag.where not in worst or lag.seconds > worst[lag.where].seconds:
            worst[lag.where] = lag
    way = [_station(name, what, worst.get(where)) for name, where, what in _WAY]
    return (*way, _projector(projection), _timekeeper(gate))


def _station(name: str, what: str, lag: Lag | None) -> Station:
    if lag is None:
        return Station(name=name, what="no process reports", tone=SILENT, seconds=None)
    if lag.seconds >= _BEHIND_S:
        return Station(name=name, what=f"partition {lag.partition} is behind", tone=BEHIND, seconds=lag.seconds)
    return Station(name=name, what=what, tone=CURRENT, seconds=lag.seconds)


def _projector(state: ProjectionState) -> Station:
    if state.state == "unavailable":
        return Station(name="projector", what="its database cannot be read", tone=LOST, seconds=None)
    late = state.behind_s >= _BEHIND_S
    what = "lists and pages are behind" if late else "fills lists and pages"
    return Station(name="projector", what=what, tone=BEHIND if late else CURRENT, seconds=state.behind_s)


def _timekeeper(gate: GateState | None) -> Station:
    """Return the timekeeper, whose lag is how far back the deadlines lie that it may fire."""
    if gate is None or gate.behind_s is None:
        return Station(name="timekeeper", what="no process reports", tone=SILENT, seconds=None)
    late = gate.behind_s >= _GATE_BEHIND_S
    what = "deadlines wait for the router" if late else "fires deadlines"
    return Station(name="timekeeper", what=what, tone=BEHIND if late else CURRENT, seconds=gate.behind_s)


def _disposition(disposition: Disposition, counts: dict[str, int], total: int) -> CountedWord:
    count = counts.get(disposition.value, 0)
    return CountedWord(tone=disposition_tone(disposition), count=count, share=count / total if total else 0.0)


def _deadlines(stats: Stats, now_ms: int) -> tuple[DeadlineRow, ...]:
    shown = (*stats.overdue, *stats.next_deadlines[:_SHOWN_DEADLINES])
    return tuple(_deadline(each, now_ms) for each in shown)


def _deadline(due: Due, now_ms: int) -> DeadlineRow:
    return DeadlineRow(
        batch=NamedBatch(url=batch_url(due.batch_id), short=short_id(due.batch_id), title=""),
        what=deadline_text(due.kind, due.phase),
        due_ms=due.due_ms,
        passed=due.due_ms <= now_ms,
    )


def attention_summary(view: Overview) -> str:
    """Return the headline of what needs a person."""
    shown = sum(group.count for group in view.attention)
    if view.attention_total > shown:
        return f"{counted(view.attention_total, 'batch', 'batches')} need a person; the newest {shown} are shown"
    needs = "needs" if view.attention_total == 1 else "need"
    return f"{counted(view.attention_total, 'batch', 'batches')} {needs} a person"
