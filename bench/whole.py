"""Measures the whole pipeline with work always waiting: its rate, its CPU, and what it writes to disk."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.hops import INPUTS
from bench.live import PlayedPeers
from bench.measuring import Cost, Sample, cpu_seconds, sample
from bench.sizes import log_bytes
from bench.workplace import GroupOffsets, ProcessEnded
from bench.written import written_bytes
from cli.supervision.stack import Stack
from schemas.topics import Topic

PROCESSES = ("router", "orchestrator-0", "projector", "timekeeper", "api-0")
WARM_UP_S = 4.0
IDLE_CORES = 0.25
"""CPU load of the whole product, in cores, below which it has caught up."""
_CATCH_UP_S = 30.0
_KB = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeResult:
    """What a decision costs with all processes running."""

    cost: Cost
    kb: Mapping[str, float]
    """Kilobytes that each process has written to disk for a decision, the broker among them where it is ours."""
    inputs_kb: float | None
    """Of the broker's, what the peers' records take; None for a broker that is not ours."""


class Look(NamedTuple):
    """What there was at one time."""

    used: Sample
    """Decisions, and the CPU of each process."""
    written: Mapping[str, int]
    inputs: int | None
    """Bytes of the peers' topics."""


def whole_result(first: Look, last: Look) -> WholeResult:
    """Return what the decisions between two looks have cost. Raises `ProcessEnded` where there were none."""
    done = last.used.done - first.used.done
    if done <= 0:
        raise ProcessEnded(f"no decision was made in {last.used.at - first.used.at:.0f} s")
    kb = {name: (bytes_ - first.written[name]) / done / _KB for name, bytes_ in last.written.items()}
    grown = None if first.inputs is None or last.inputs is None else last.inputs - first.inputs
    inputs_kb = None if grown is None else grown / done / _KB
    return WholeResult(cost=Cost.between(first.used, last.used), kb=kb, inputs_kb=inputs_kb)


class Whole:
    """Measures a running stack."""

    def __init__(
        self, stack: Stack, broker: Mapping[str, int], data: Path | None, run: str, report: Callable[[str], None]
    ) -> None:
        self._stack = stack
        self._broker = dict(broker)
        self._data = data
        self._run = run
        self._report = report

    def pids(self) -> dict[str, int]:
        """Return the processes whose CPU counts, the load generator's and the broker's apart from the product's."""
        supervisor = self._stack.supervisor
        return {name: supervisor.pid(name) for name in PROCESSES} | {"load generator": os.getpid()} | self._broker

    def sustained(self, *, essays: int, seconds: float, in_flight: int, compiled: float) -> WholeResult:
        """Return the rate and cost of decisions with `in_flight` batches under way all the time.

        The load runs for `compiled` seconds before that, or a little longer.
        """
        settings = self._stack.settings
        with (
            closing(PlayedPeers(settings, essays=essays, run=f"{self._run}-full")) as peers,
            closing(GroupOffsets(settings)) as decided,
        ):

            def refill() -> None:
                for _ in range(in_flight - peers.open):
                    peers.register()

            peers.warm_up(WARM_UP_S + compiled, refill)
            pids = self.pids()
            first = self._look(decided(), pids)
            peers.play(time.monotonic() + seconds, refill)
            last = self._look(decided(), pids)
            peers.play(time.monotonic() + WARM_UP_S, lambda: None)
            self.check(pids)
        found = whole_result(first, last)
        cost = found.cost
        self._report(f"whole pipeline: {cost.per_second:.0f} decisions/s, {sum(found.kb.values()):.1f} KB each")
        return found

    def _look(self, decided: int, pids: Mapping[str, int]) -> Look:
        product = {name: pid for name, pid in pids.items() if name != "load generator"}
        return Look(sample(decided, pids), written_bytes(product), self._inputs())

    def settle(self) -> None:
        """Wait until all processes have caught up, or half a minute has passed."""
        deadline = time.monotonic() + _CATCH_UP_S
        pids = {name: pid for name, pid in self.pids().items() if name in PROCESSES}
        used = float("inf")
        while used > IDLE_CORES and time.monotonic() < deadline:
            before = sum(cpu_seconds(pid) for pid in pids.values())
            time.sleep(1.0)
            used = sum(cpu_seconds(pid) for pid in pids.values()) - before

    def check(self, pids: Mapping[str, int]) -> None:
        """Raise `ProcessEnded` if a process was restarted, because the results would be invalid."""
        self._stack.supervisor.check()
        changed = [name for name, pid in self.pids().items() if pids[name] != pid]
        if changed:
            raise ProcessEnded(f"{', '.join(changed)} ended; read the logs in {self._stack.supervisor.log_directory}")

    def _inputs(self) -> int | None:
        """Return the size of the peers' records in the broker's directory."""
        if self._data is None:
            return None
        topics = self._stack.settings.topics()
        return sum(log_bytes(self._data, topics.name(topic)) for topic in (Topic.REQUESTS, *INPUTS))
