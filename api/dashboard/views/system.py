"""The running system as its page shows it: processes, the partitions that each reads, and what is wrong."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from api.dashboard.views.problem import HELP
from api.dashboard.views.times import duration
from api.dashboard.views.words import Tone, counted
from api.monitoring.process_findings import Finding
from api.monitoring.processes import ProcessView
from api.queries.system import PATH, PartitionState, SystemState, Trend

LAGS_S = 1.0
"""Seconds from which on a partition counts as behind."""
_LATE_S = 5.0
_GATE_MS = 10_000
"""How far behind the present the gate is at most while all is well."""
_KINDS = {
    "router": "reads what peers and clients send, and writes each record to the inbox",
    "orchestrator": "decides every inbox record exactly once",
    "projector": "fills the database that lists and pages read",
    "timekeeper": "sends deadlines to the inbox when they are due",
    "api": "answers HTTP and serves these pages",
}
READY = Tone("done", "done", "ready")
RESTORING = Tone("running", "running", "restoring its state", open=True)
JOINING = Tone("idle", "waiting", "joining its group", open=True)
UNWELL = Tone("partial", "partial", "not well")
MISSING = Tone("failed", "failed", "missing")
FAILED = Tone("failed", "failed", "failed")
STOPPED = Tone("idle", "cancelled", "stopped")
_CURRENT = Tone("done", "done", "current")
_BEHIND = Tone("partial", "partial", "a little behind")
_LATE = Tone("stalled", "stalled", "behind")


class ProblemRow(Struct, frozen=True, kw_only=True):
    """Something that is wrong, and what to do."""

    code: str
    help_url: str
    message: str
    next_step: str


class Cell(Struct, frozen=True, kw_only=True):
    """One partition that a process reads."""

    partition: int
    tone: Tone
    seconds: str
    note: str
    """All that is known about it, as a sentence."""
    lag: str
    """Records and trend where it is behind; empty where it is current."""


class TopicRow(Struct, frozen=True, kw_only=True):
    """The partitions of one topic that a process reads."""

    topic: str
    cells: tuple[Cell, ...]
    hidden: int
    """Partitions that are current and left out."""


class ProcessRow(Struct, frozen=True, kw_only=True):
    """One process."""

    name: str
    anchor: str
    tone: Tone
    note: str
    """Why it is not ready; empty where it is."""
    partitions: int
    lag_s: float
    late: bool
    topics: tuple[TopicRow, ...]
    host: str
    pid: int
    version: str
    settings: str
    differs: bool
    """Whether its version or settings are not those of most."""
    started_ms: int
    heard_ms: int
    forgettable: bool
    """Whether it has gone, without having stopped in order: if for good, it can be taken off the list."""


class KindRow(Struct, frozen=True, kw_only=True):
    """All processes of one kind."""

    kind: str
    what: str
    processes: tuple[ProcessRow, ...]


class SystemPage(Struct, frozen=True, kw_only=True):
    """Everything that the page shows."""

    tone: Tone
    headline: str
    problems: tuple[ProblemRow, ...]
    kinds: tuple[KindRow, ...]
    gate_ms: int | None
    gate_note: str
    gate_tone: Tone
    projection_tone: Tone
    projection_note: str
    settings_note: str
    lagging: int
    """Partitions that are behind."""
    heard_ms: int | None
    """When the newest report was written."""


def system_page(state: SystemState, *, now_ms: int, only_lagging: bool) -> SystemPage:
    """Return the page; with `only_lagging`, partitions that are current are left out."""
    usual = state.settings[0] if state.settings else None
    digest, version = (usual.settings_digest, usual.version) if usual else ("", "")
    kinds = sorted({view.record.kind for view in state.processes}, key=_order)
    rows = {
        kind: tuple(
            _process(view, state.partitions, digest, version, only_lagging=only_lagging)
            for view in state.processes
            if view.record.kind == kind
        )
        for kind in kinds
    }
    lagging = sum(each.seconds >= LAGS_S for each in state.partitions)
    gate_ms = None if state.gate is None else state.gate.open_until_ms
    return SystemPage(
        tone=_CURRENT if not state.problems else UNWELL,
        headline=_headline(state, lagging),
        problems=tuple(map(_problem, state.problems)),
        kinds=tuple(KindRow(kind=kind, what=_KINDS.get(kind, ""), processes=rows[kind]) for kind in kinds),
        gate_ms=gate_ms,
        gate_note=_gate_note(state, now_ms),
        gate_tone=JOINING if gate_ms is None else _LATE if now_ms - gate_ms > _GATE_MS else _CURRENT,
        projection_tone=_projection_tone(state),
        projection_note=_projection_note(state),
        settings_note=_settings_note(state),
        lagging=lagging,
        heard_ms=max((view.record.time_ms for view in state.processes), default=None),
    )


def _headline(state: SystemState, lagging: int) -> str:
    live = sum(view.state == "live" for view in state.processes)
    if not state.problems:
        behind = f"{counted(lagging, 'partition')} behind" if lagging else "no partition is behind"
        return f"{counted(live, 'process', 'processes')} at work, {behind}"
    return f"{counted(len(state.problems), 'problem')}; {counted(live, 'process', 'processes')} at work"


def _problem(finding: Finding) -> ProblemRow:
    return ProblemRow(
        code=finding.code,
        help_url=HELP.format(code=finding.code),
        message=finding.message if finding.message.startswith(finding.process) else str(finding),
        next_step=finding.next_step,
    )


def _process(
    view: ProcessView, partitions: Sequence[PartitionState], digest: str, version: str, *, only_lagging: bool
) -> ProcessRow:
    record = view.record
    own = [each for each in partitions if each.process == record.name] if view.state == "live" else []
    lag_s = max((each.seconds for each in own), default=record.lag_s)
    return ProcessRow(
        name=record.name,
        anchor=record.name.replace("/", "-"),
        tone=_state(view),
        note=_note(view),
        partitions=record.partitions,
        lag_s=lag_s,
        late=lag_s >= _LATE_S,
        topics=tuple(_topics(own, only_lagging=only_lagging)),
        host=record.host,
        pid=record.pid,
        version=record.version,
        settings=record.settings_digest[:8],
        differs=view.state == "live" and (record.settings_digest, record.version) != (digest, version),
        started_ms=record.started_ms,
        heard_ms=record.time_ms,
        forgettable=view.state in ("missing", "failed"),
    )


def _state(view: ProcessView) -> Tone:
    if view.state != "live":
        return {"missing": MISSING, "failed": FAILED}.get(view.state, STOPPED)
    if not view.record.assigned:
        return JOINING
    if not view.record.restored:
        return RESTORING
    return UNWELL if view.record.problems or not view.record.alive else READY


def _note(view: ProcessView) -> str:
    if view.state == "missing":
        return f"nothing has come from it for {duration(view.silent_s * 1_000)}"
    found = [problem.message for problem in view.record.problems]
    if view.shares_instance:
        found.insert(0, "another process has the same kind and INSTANCE")
    return " ".join(found)


def _topics(own: Sequence[PartitionState], *, only_lagging: bool) -> Iterable[TopicRow]:
    for topic in dict.fromkeys(each.topic for each in own):
        found = sorted((each for each in own if each.topic == topic), key=lambda each: each.partition)
        shown = [each for each in found if not only_lagging or each.seconds >= LAGS_S or each.behind]
        if shown:
            yield TopicRow(topic=topic, cells=tuple(map(_cell, shown)), hidden=len(found) - len(shown))


def _cell(state: PartitionState) -> Cell:
    lag = ""
    if state.seconds >= LAGS_S or state.behind:
        lag = f"{counted(state.behind, 'record')}, {state.trend.value}"
        if state.trend is Trend.FALLING and state.caught_up_in_s is not None:
            lag += f", caught up in {duration(state.caught_up_in_s * 1_000)}"
    at = "not known yet" if state.position is None else f"{state.position:,}"
    end = "not known yet" if state.end is None else f"{state.end:,}"
    tone = _tone(state.seconds)
    return Cell(
        partition=state.partition,
        tone=tone,
        seconds=f"{state.seconds:.1f} s",
        note=f"Partition {state.partition}: {tone.word}, {state.seconds:.1f} s; next offset {at}, end {end}.",
        lag=lag,
    )


def _tone(seconds: float) -> Tone:
    if seconds >= _LATE_S:
        return _LATE
    return _BEHIND if seconds >= LAGS_S else _CURRENT


def _gate_note(state: SystemState, now_ms: int) -> str:
    if state.gate is None:
        return "No timekeeper reports, so no deadline is sent."
    if state.gate.open_until_ms is None:
        return "No deadline is sent until the router has passed its inputs."
    behind = max(0.0, (now_ms - state.gate.open_until_ms) / 1_000)
    return f"{behind:.1f} s behind the present: an outcome that was sent before a deadline is always decided before it."


def _projection_tone(state: SystemState) -> Tone:
    return {"current": _CURRENT, "behind": _BEHIND}.get(state.projection.state, MISSING)


def _projection_note(state: SystemState) -> str:
    if state.projection.error:
        return f"{state.projection.error} Decisions go on; single batches are read from the log."
    return f"{state.projection.behind_s:.1f} s behind the log"


def _settings_note(state: SystemState) -> str:
    if len(state.settings) < 2:
        return "All processes run the same version with the same settings."
    usual, *others = state.settings
    told = [f"{', '.join(each.processes)} ({each.version}, settings {each.settings_digest[:8]})" for each in others]
    return f"Most run version {usual.version} with settings {usual.settings_digest[:8]}; different: {'; '.join(told)}."


def _order(kind: str) -> tuple[int, str]:
    return (PATH.index(kind) if kind in PATH else len(PATH), kind)
