"""Measures the time from an event to its command at fixed rates, of two pipelines in turns, and what was waited for.

Events count by the time at which they were sent: what is answered late counts, and what is never answered is told.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import mean, median

from bench.hops import HOPS, Trail, Way
from bench.host_watch import HostWatch, Waits
from bench.live import Pace, PlayedPeers
from bench.pipelines import Pipeline
from bench.plan import ESSAYS, Plan
from bench.visible import VisibleResult, VisibleWatch, visible_result
from bench.workplace import ProcessEnded
from cli.demo.table import percentile

ANSWER_S = (0.05, 0.25)
"""Shortest and longest answer time of the peers, in seconds: answers arrive at any point of a commit interval."""
DRAIN_S = 15.0
"""How long late commands are waited for."""
WORST = 3
"""Seconds of which it is told what they waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One hop of an event's way, in seconds."""

    p50: float
    p99: float
    in_tail: float
    """Mean over the slowest hundredth of the events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TailSecond:
    """A second with events of the slowest hundredth."""

    at_s: float
    """Seconds since the beginning of the measurement at this rate."""
    events: int
    slowest_s: float
    hop: str
    """The hop that took longest over its median."""
    hop_s: float
    """Mean of that hop over these events."""
    waits: Waits


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyResult:
    """Seconds from sending an event to reading the command that it leads to, read committed."""

    commands: int
    unanswered: int
    per_second: float
    """Decisions a second, from the commands that were read."""
    p50: float
    p90: float
    p99: float
    p99s: Sequence[float]
    """The p99 of each turn, in seconds."""
    hops: Mapping[str, Hop]
    tail: Sequence[TailSecond]
    visible: VisibleResult | None = None
    """Of the same load: decided to visible in the projection."""


@dataclass(slots=True)
class Turns:
    """What all turns of one pipeline at one rate have found."""

    took: list[float] = field(default_factory=list)
    ways: list[tuple[Way, HostWatch]] = field(default_factory=list)
    visible: list[float | None] = field(default_factory=list)
    unanswered: int = 0
    seconds: float = 0.0
    p99s: list[float] = field(default_factory=list)
    """The p99 of each turn, in seconds."""


class Latency:
    """Measures pipelines that run beside each other; one is loaded at a time."""

    def __init__(self, plan: Plan, pipelines: Sequence[Pipeline], run: str, report: Callable[[str], None]) -> None:
        self._plan = plan
        self._pipelines = pipelines
        self._run = run
        self._report = report
        self._turns = 0

    def run(self) -> dict[float, dict[str, LatencyResult]]:
        """Return the result of each pipeline by its name, for each rate."""
        if self._plan.compiled:
            for pipeline in self._pipelines:
                self._report(f"{pipeline.name}: {self._plan.compiled:.0f} s of load that are not measured")
                self._turn(pipeline, self._plan.rates[0], self._plan.compiled, Turns())
        return {rate: self._at(rate) for rate in self._plan.rates}

    def _at(self, rate: float) -> dict[str, LatencyResult]:
        found = {pipeline.name: Turns() for pipeline in self._pipelines}
        begun_s = time.time()
        rounds = max(1, math.ceil(self._plan.latency / self._plan.turn))
        for number in range(rounds):
            for pipeline in self._pipelines:
                turns = found[pipeline.name]
                done = len(turns.took)
                self._turn(pipeline, rate, self._plan.turn, turns)
                took = sorted(turns.took[done:])
                turns.p99s.append(percentile(took, 99))
                self._report(
                    f"event to command at {rate:.0f}/s, {pipeline.name}, {number + 1} of {rounds}: "
                    f"p50 {percentile(took, 50) * 1e3:.0f} ms, p99 {turns.p99s[-1] * 1e3:.0f} ms"
                )
        return {name: result(turns, begun_s) for name, turns in found.items()}

    def _turn(self, pipeline: Pipeline, rate: float, seconds: float, turns: Turns) -> None:
        """Load one pipeline for a while, and add what is found to `turns`."""
        self._turns += 1
        name = f"{self._run}-{pipeline.name}-{self._turns}"
        trail, pids = Trail(pipeline.settings), pipeline.pids()
        with ExitStack() as stack:
            peers = stack.enter_context(
                closing(PlayedPeers(pipeline.settings, essays=ESSAYS, run=name, delay=ANSWER_S))
            )
            watch = stack.enter_context(HostWatch(pids))
            visible = stack.enter_context(VisibleWatch(pipeline.settings)) if pipeline.projects else None
            pace = Pace(peers, rate)
            peers.warm_up(self._plan.settled, pace)
            start_s = time.time()
            peers.play(time.monotonic() + seconds, pace)
            end_s = time.time()
            drained = time.monotonic() + DRAIN_S
            while peers.open and time.monotonic() < drained:
                peers.play(time.monotonic() + 0.2, lambda: None)
            pipeline.check(pids)
        answers = [each for each in peers.answers if start_s <= each.sent_s < end_s]
        if not answers:
            raise ProcessEnded(
                f"{pipeline.name}: no command was read in {seconds:.0f} s; {peers.open} batches are open"
            )
        turns.took += [each.took_s for each in answers]
        turns.unanswered += peers.unanswered(start_s, end_s)
        turns.seconds += end_s - start_s
        turns.ways += [(way, watch) for way in trail.ways(answers)]
        if visible is not None:
            turns.visible += visible.took(start_s, end_s)


def result(turns: Turns, begun_s: float) -> LatencyResult:
    """Return what all turns of a pipeline say together."""
    took = sorted(turns.took)
    p99 = percentile(took, 99)
    ways = [way for way, _ in turns.ways]
    tail = [(way, watch) for way, watch in turns.ways if way.took_s >= p99]
    middle = [median(hop) for hop in zip(*(way.hops() for way in ways), strict=True)]
    return LatencyResult(
        commands=len(took),
        unanswered=turns.unanswered,
        per_second=2 * len(took) / turns.seconds,  # half of a batch's events lead to a command
        p50=percentile(took, 50),
        p90=percentile(took, 90),
        p99=p99,
        p99s=tuple(turns.p99s),
        hops=_hops(ways, [way for way, _ in tail]),
        tail=_tail_seconds(tail, middle, begun_s),
        visible=visible_result(turns.visible),
    )


def _hops(ways: Sequence[Way], tail: Sequence[Way]) -> dict[str, Hop]:
    if not tail:
        return {}
    each = zip(*(way.hops() for way in ways), strict=True)
    slow = zip(*(way.hops() for way in tail), strict=True)
    return {
        name: Hop(p50=percentile(sorted(times), 50), p99=percentile(sorted(times), 99), in_tail=mean(late))
        for name, times, late in zip(HOPS, each, slow, strict=True)
    }


def _tail_seconds(
    tail: Sequence[tuple[Way, HostWatch]], middle: Sequence[float], begun_s: float
) -> tuple[TailSecond, ...]:
    """Return the seconds with most of the slow events, and what the host did while they were on their way."""
    by_second: dict[int, list[tuple[Way, HostWatch]]] = {}
    for way, watch in tail:
        by_second.setdefault(int(way.read_s), []).append((way, watch))
    worst = sorted(by_second.values(), key=len, reverse=True)[:WORST]
    return tuple(_tail_second(events, middle, begun_s) for events in worst)


def _tail_second(events: Sequence[tuple[Way, HostWatch]], middle: Sequence[float], begun_s: float) -> TailSecond:
    ways = [way for way, _ in events]
    means = [mean(hop) for hop in zip(*(way.hops() for way in ways), strict=True)]
    longest = max(range(len(HOPS)), key=lambda hop: means[hop] - middle[hop])
    start_s, end_s = min(way.sent_s for way in ways), max(way.read_s for way in ways)
    return TailSecond(
        at_s=start_s - begun_s,
        events=len(ways),
        slowest_s=max(way.took_s for way in ways),
        hop=HOPS[longest],
        hop_s=means[longest],
        waits=events[0][1].between(start_s, end_s),
    )
