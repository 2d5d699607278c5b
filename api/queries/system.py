"""The running system: processes, the partitions that they read, how far behind they are, and what differs."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from api.kafka_log.follower import KafkaLogFollower
from api.monitoring.process_findings import Finding
from api.monitoring.processes import ProcessView
from api.monitoring.service_health import ServiceHealth
from schemas.errors import Code
from schemas.internal.processes import InputPosition
from state.why import Lag

PATH = ("router", "orchestrator", "projector", "timekeeper")
"""Kinds of processes in the order in which an event passes them, and the one that fires deadlines."""
WHERE = {"router": "router", "orchestrator": "inbox", "projector": "projection"}
"""Name of the lag of each kind that events pass."""
_WINDOW_S = 30.0
"""Seconds over which a trend is judged."""
_STEADY_S = 1.0
"""Change of a lag within the window that counts as none."""
_SAMPLES = 64
_KEPT_S = 0.5
_DECIDING = ("router", "orchestrator")

Place = tuple[str, str, int]
"""Kind of process, real name of the topic, and partition."""


class Trend(StrEnum):
    """How a lag has changed within the last half minute."""

    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"


class PartitionState(Struct, frozen=True, kw_only=True):
    """A partition that a process reads."""

    process: str
    """Kind and instance."""
    topic: str
    """Real name of the topic."""
    partition: int
    position: int | None
    """Next offset to read; None while it is not known."""
    end: int | None
    """Offset up to which read-committed consumers can read."""
    behind: int
    """Offsets before the end that have not been read; transaction markers count."""
    seconds: float
    """Age of the oldest record that has not been read; 0 when caught up."""
    trend: Trend
    caught_up_in_s: float | None
    """When the lag is gone at its present trend; None where it does not fall."""


class SettingsGroup(Struct, frozen=True, kw_only=True):
    """Live processes with equal settings and version."""

    settings_digest: str
    version: str
    processes: tuple[str, ...]


class GateState(Struct, frozen=True, kw_only=True):
    """The gate of the timekeepers: a deadline waits until the router has passed what was in its inputs before it."""

    open_until_ms: int | None
    """Deadlines up to this time may be fired; None before the router has passed any input."""
    behind_s: float | None
    """Seconds since then."""


class ProjectionState(Struct, frozen=True, kw_only=True):
    """How the projection database is, as this api sees it."""

    state: Literal["current", "behind", "unavailable"]
    behind_s: float
    error: str | None


class SystemState(Struct, frozen=True, kw_only=True):
    """The running system at one moment."""

    as_of_ms: int
    healthy: bool
    problems: tuple[Finding, ...]
    processes: tuple[ProcessView, ...]
    partitions: tuple[PartitionState, ...]
    lags: tuple[Lag, ...]
    """Of each partition on the path of an event."""
    gate: GateState | None
    """None where no timekeeper is live."""
    settings: tuple[SettingsGroup, ...]
    """More than one: processes differ."""
    projection: ProjectionState

    @property
    def lag_s(self) -> dict[str, float]:
        """Largest lag of each part of the path, in seconds."""
        return {where: max((lag.seconds for lag in self.lags if lag.where == where), default=0.0) for where in _WHERES}


_WHERES = tuple(WHERE.values())


class SystemView:
    """Derives the state of the system from the reports of the processes. Use it on the event loop only.

    Call `observe` about once a second, so that trends can be told.
    """

    def __init__(
        self,
        follower: KafkaLogFollower,
        health: ServiceHealth,
        *,
        clock: Callable[[], float] = time.monotonic,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._follower = follower
        self._health = health
        self._clock = clock
        self._clock_ms = clock_ms
        self._samples: dict[Place, deque[tuple[float, float]]] = {}
        self._decision_lag_s = 0.0
        self._lag_at = float("-inf")
        self._live_at = dict.fromkeys(_DECIDING, clock())

    def observe(self) -> None:
        """Note the present lags."""
        now = self._clock()
        self.decision_lag_s()
        seen: set[Place] = set()
        for view in self._live():
            for position in view.record.positions:
                place = (view.record.kind, position.topic, position.partition)
                seen.add(place)
                self._samples.setdefault(place, deque(maxlen=_SAMPLES)).append((now, _seconds(view, position)))
        for place in self._samples.keys() - seen:
            del self._samples[place]

    def now(self) -> SystemState:
        """Return the state of the system at this moment."""
        views = tuple(self._follower.processes.views())
        live = [view for view in views if view.state == "live"]
        report = self._health.report()
        settings = _settings(live)
        return SystemState(
            as_of_ms=self._clock_ms(),
            healthy=report.healthy,
            problems=(*report.findings, *_differences(settings)),
            processes=views,
            partitions=tuple(self._partition(view, each) for view in live for each in view.record.positions),
            lags=self.lags(),
            gate=self._gate(live),
            settings=settings,
            projection=self._projection(),
        )

    def lags(self) -> tuple[Lag, ...]:
        """Return the lag of each partition on the path of an event: inputs of the router, inbox, status topic."""
        found = [
            Lag(WHERE[view.record.kind], position.partition, _seconds(view, position))
            for view in self._live()
            if view.record.kind in WHERE and view.record.kind != "projector"
            for position in view.record.positions
        ]
        for partition, behind_s in self._health.projection_lags().items():
            found.append(Lag("projection", partition.number, behind_s))
        return tuple(found)

    def decision_lag_s(self) -> float:
        """Return how old the oldest request is that is not decided yet: the larger lag of router and orchestrator.

        Where no process of a kind is live, the time since this api last saw one counts as its lag. The value is kept
        for half a second, because every registration asks for it.
        """
        now = self._clock()
        if now - self._lag_at > _KEPT_S:
            views = self._follower.processes.views()
            self._decision_lag_s = max(self._lag_of_kind(views, kind, now) for kind in _DECIDING)
            self._lag_at = now
        return self._decision_lag_s

    def _lag_of_kind(self, views: Sequence[ProcessView], kind: str, now: float) -> float:
        own = [view for view in views if view.record.kind == kind]
        live = [view.record.lag_s for view in own if view.state == "live"]
        if live or not own:
            self._live_at[kind] = now
            return max(live, default=0.0)
        return now - self._live_at[kind]

    def _live(self) -> Iterable[ProcessView]:
        return (view for view in self._follower.processes.views() if view.state == "live")

    def _partition(self, view: ProcessView, position: InputPosition) -> PartitionState:
        seconds = _seconds(view, position)
        trend, caught_up_in_s = _trend(self._samples.get((view.record.kind, position.topic, position.partition), ()))
        known = position.position >= 0 and position.end >= 0
        return PartitionState(
            process=view.record.name,
            topic=position.topic,
            partition=position.partition,
            position=position.position if position.position >= 0 else None,
            end=position.end if position.end >= 0 else None,
            behind=max(0, position.end - position.position) if known else 0,
            seconds=seconds,
            trend=trend,
            caught_up_in_s=caught_up_in_s if seconds else None,
        )

    def _gate(self, live: Sequence[ProcessView]) -> GateState | None:
        gates = [view.record.gate_ms for view in live if view.record.kind == "timekeeper"]
        if not gates:
            return None
        opened = [gate for gate in gates if gate is not None]
        if not opened:
            return GateState(open_until_ms=None, behind_s=None)
        newest = max(opened)
        return GateState(open_until_ms=newest, behind_s=max(0.0, (self._clock_ms() - newest) / 1_000))

    def _projection(self) -> ProjectionState:
        behind_s = self._health.projection_behind_s()
        error = self._follower.projection_error
        state: Literal["current", "behind", "unavailable"] = "behind" if behind_s > _STEADY_S else "current"
        return ProjectionState(state="unavailable" if error else state, behind_s=behind_s, error=error)


def _seconds(view: ProcessView, position: InputPosition) -> float:
    """Return the lag on a partition; of a process that reports one lag for all, that one where records are left."""
    if position.lag_s:
        return position.lag_s
    only = len(view.record.positions) == 1
    return view.record.lag_s if only and position.position < position.end else 0.0


def _trend(samples: Iterable[tuple[float, float]]) -> tuple[Trend, float | None]:
    """Return the trend of (time, lag) samples within the window, and when the lag is gone if it falls."""
    known = list(samples)
    recent = [each for each in known if each[0] >= known[-1][0] - _WINDOW_S]
    if len(recent) < 2:
        return Trend.STEADY, None
    (first, before), (last, now) = recent[0], recent[-1]
    change = now - before
    if abs(change) < _STEADY_S:
        return Trend.STEADY, None
    if change > 0:
        return Trend.RISING, None
    return Trend.FALLING, round(now * (last - first) / -change, 1)


def _settings(live: Sequence[ProcessView]) -> tuple[SettingsGroup, ...]:
    groups: dict[tuple[str, str], list[str]] = {}
    for view in live:
        groups.setdefault((view.record.settings_digest, view.record.version), []).append(view.record.name)
    found = [
        SettingsGroup(settings_digest=digest, version=version, processes=tuple(names))
        for (digest, version), names in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: -len(group.processes)))


def _differences(groups: Sequence[SettingsGroup]) -> list[Finding]:
    """Return a finding for every group of processes that differs from the largest one."""
    return [
        Finding(
            Code.SETTINGS_DIFFER,
            group.processes[0],
            _difference(groups[0], group),
            "Finish the upgrade, or give all processes the same environment and restart those that differ.",
        )
        for group in groups[1:]
    ]


def _difference(first: SettingsGroup, other: SettingsGroup) -> str:
    what = "version" if first.version != other.version else "settings"
    return f"{', '.join(other.processes)}: other {what} than {', '.join(first.processes)}."
