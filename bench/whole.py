"""Measures the whole pipeline: its sustained rate and cost, and the latency of commands at half that rate."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from bench.live import PlayedPeers
from bench.measuring import Cost, cpu_seconds, sample
from bench.wire import EVENTS_PER_BATCH
from bench.workplace import ProcessEnded
from cli.demo.table import percentile
from cli.supervision.stack import Stack

PROCESSES = ("router", "orchestrator-0", "projector", "timekeeper", "api-0")
IN_FLIGHT = 600
"""Number of concurrent batches at full load, so many that no process waits for the peers."""
WARM_UP_S = 4.0
ANSWER_S = (0.05, 0.25)
"""Shortest and longest answer time of the peers, in seconds: answers arrive at any point of a commit interval."""
IDLE_CORES = 0.25
"""CPU load of the whole product, in cores, below which it has caught up."""
_CATCH_UP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyResult:
    """Seconds from sending an event to reading the command that it leads to, read committed."""

    decisions_per_second: float
    commands: int
    p50: float
    p90: float
    p99: float
    load_generator: float
    """CPU of the load generator, in cores."""


class Whole:
    """Measures a running stack."""

    def __init__(self, stack: Stack, broker: Mapping[str, int], run: str, report: Callable[[str], None]) -> None:
        self._stack = stack
        self._broker = dict(broker)
        self._run = run
        self._report = report

    def pids(self) -> dict[str, int]:
        """Return the processes whose CPU counts, the load generator's and the broker's apart from the product's."""
        supervisor = self._stack.supervisor
        return {name: supervisor.pid(name) for name in PROCESSES} | {"load generator": os.getpid()} | self._broker

    def sustained(self, *, essays: int, seconds: float) -> Cost:
        """Return the rate and cost of decisions with the pipeline always full."""
        with closing(PlayedPeers(self._stack.settings, essays=essays, run=f"{self._run}-full")) as peers:

            def refill() -> None:
                for _ in range(IN_FLIGHT - peers.open):
                    peers.register()

            peers.play(time.monotonic() + WARM_UP_S, refill)
            pids = self.pids()
            first = sample(peers.ended * EVENTS_PER_BATCH, pids)
            peers.play(time.monotonic() + seconds, refill)
            last = sample(peers.ended * EVENTS_PER_BATCH, pids)
            peers.play(time.monotonic() + WARM_UP_S, lambda: None)
            self._check(pids)
            if last.done == first.done:
                raise ProcessEnded(f"no batch was completed in {seconds:.0f} s; {peers.open} are open")
        cost = Cost.between(first, last)
        self._report(f"whole pipeline, always full: {cost.per_second:.0f} decisions/s")
        return cost

    def settle(self) -> None:
        """Wait until all processes have caught up, or half a minute has passed."""
        deadline = time.monotonic() + _CATCH_UP_S
        pids = {name: pid for name, pid in self.pids().items() if name in PROCESSES}
        used = float("inf")
        while used > IDLE_CORES and time.monotonic() < deadline:
            before = sum(cpu_seconds(pid) for pid in pids.values())
            time.sleep(1.0)
            used = sum(cpu_seconds(pid) for pid in pids.values()) - before

    def latency(self, decisions_per_second: float, *, essays: int, seconds: float, warm_up: float) -> LatencyResult:
        """Return the latency of commands at a steady load, after `warm_up` seconds.

        The broker's compiler takes a core for half a minute after its start, which is no part of what is measured.
        """
        gap = EVENTS_PER_BATCH / decisions_per_second
        with closing(
            PlayedPeers(self._stack.settings, essays=essays, run=f"{self._run}-half", delay=ANSWER_S)
        ) as peers:
            due = time.monotonic()

            def refill() -> None:
                nonlocal due
                while due <= time.monotonic():
                    peers.register()
                    due += gap

            peers.play(time.monotonic() + warm_up, refill)
            pids = self.pids()
            first, start = sample(peers.ended * EVENTS_PER_BATCH, pids), time.monotonic()
            peers.play(start + seconds, refill)
            last = sample(peers.ended * EVENTS_PER_BATCH, pids)
            peers.play(time.monotonic() + WARM_UP_S, lambda: None)
            self._check(pids)
        took = sorted(latency for at, latency in peers.latencies if start <= at <= start + seconds)
        used = last.cpu["load generator"] - first.cpu["load generator"]
        return LatencyResult(
            decisions_per_second=(last.done - first.done) / (last.at - first.at),
            commands=len(took),
            p50=percentile(took, 50),
            p90=percentile(took, 90),
            p99=percentile(took, 99),
            load_generator=used / (last.at - first.at),
        )

    def _check(self, pids: Mapping[str, int]) -> None:
        """Raise `ProcessEnded` if a process was restarted, because the results would be invalid."""
        self._stack.supervisor.check()
        changed = [name for name, pid in self.pids().items() if pids[name] != pid]
        if changed:
            raise ProcessEnded(f"{', '.join(changed)} ended; read the logs in {self._stack.supervisor.log_directory}")
