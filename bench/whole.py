"""Measures the whole pipeline with work always waiting: its rate, its CPU, and what it writes to disk."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.hops import INPUTS
from bench.live import PlayedPeers
from bench.measuring import Cost, cpu_seconds, sample
from bench.sizes import topic_bytes
from bench.wire import EVENTS_PER_BATCH
from bench.workplace import ProcessEnded
from bench.written import written_bytes
from cli.supervision.stack import Stack
from schemas.topics import Topic

PROCESSES = ("router", "orchestrator-0", "projector", "timekeeper", "api-0")
IN_FLIGHT = 600
"""Number of concurrent batches at full load, so many that no process waits for the peers."""
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

    def sustained(self, *, essays: int, seconds: float) -> WholeResult:
        """Return the rate and cost of decisions with the pipeline always full."""
        with closing(PlayedPeers(self._stack.settings, essays=essays, run=f"{self._run}-full")) as peers:

            def refill() -> None:
                for _ in range(IN_FLIGHT - peers.open):
                    peers.register()

            peers.warm_up(WARM_UP_S, refill)
            pids = self.pids()
            written = {name: pid for name, pid in pids.items() if name != "load generator"}
            first, before, inputs = sample(peers.ended * EVENTS_PER_BATCH, pids), written_bytes(written), self._inputs()
            peers.play(time.monotonic() + seconds, refill)
            last, after, grown = sample(peers.ended * EVENTS_PER_BATCH, pids), written_bytes(written), self._inputs()
            peers.play(time.monotonic() + WARM_UP_S, lambda: None)
            self.check(pids)
            done = last.done - first.done
            if not done:
                raise ProcessEnded(f"no batch was completed in {seconds:.0f} s; {peers.open} are open")
        kb = {name: (after[name] - before[name]) / done / _KB for name in written}
        cost = Cost.between(first, last)
        self._report(f"whole pipeline: {cost.per_second:.0f} decisions/s, {sum(kb.values()):.1f} KB written for each")
        inputs_kb = None if inputs is None or grown is None else (grown - inputs) / done / _KB
        return WholeResult(cost=cost, kb=kb, inputs_kb=inputs_kb)

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
        """Return the size of the peers' topics in the broker's directory."""
        if self._data is None:
            return None
        topics = self._stack.settings.topics()
        return sum(topic_bytes(self._data, topics.name(topic)) for topic in (Topic.REQUESTS, *INPUTS))
