"""`python -m bench`: all sections, one after the other, and a table at the end."""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bench import host, soak
from bench.alone import Alone
from bench.core import Core, core_table
from bench.deadlines import Deadlines
from bench.projection import Projection
from bench.rebuilding import Rebuilding
from bench.registering import as_fast_as_possible, at_rate
from bench.report import (
    IDLE_STREAMS,
    REGISTRATION_RATE,
    Results,
    aim_table,
    cost_table,
    deadlines_table,
    latency_table,
    projection_tables,
)
from bench.streams import RATE, Streams
from bench.whole import Whole
from bench.workplace import Workplace, run_name
from cli.broker import BOOTSTRAP_VARIABLE, Kafka, kafka_from
from cli.supervision.stack import Stack, StackOptions
from runtime.settings import Settings

CORE = "core"
PROJECTION = "projection"
REBUILD = "rebuild"
WITHOUT_KAFKA = frozenset({CORE, PROJECTION})
"""Sections that need no Kafka."""
SOAK = "soak"
"""A section that takes long, and runs only where it is asked for."""
SECTIONS = (CORE, "alone", "whole", "latency", "registration", "live", "deadlines", PROJECTION, REBUILD)
ESSAYS = 25
SOAK_PER_SECOND = 60.0
_QUIET_LOAD = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Amounts to measure. Times are in seconds."""

    batches: int = 6_000
    rounds: int = 3
    sustained: float = 12.0
    latency: float = 20.0
    registration: float = 20.0
    soak: int = 100_000
    """Batches of the soak."""
    limit: float = 8.0
    armed: int = 1_000_000
    idle: float = 60.0
    """How long idle streams are watched."""
    live: float = 20.0
    core: int = 8
    """Rounds of the core."""
    projected: int = 1_000_000
    """Batches of the projection that is read."""
    rebuilt: int = 100_000
    """Batches of the projection that is built anew from Kafka."""
    decided: int = 4_000
    """Batches whose decisions are projected to measure one."""
    reads: int = 300
    """Repetitions of each read."""


QUICK = Plan(
    batches=1_500,
    rounds=1,
    sustained=4.0,
    latency=5.0,
    registration=5.0,
    soak=2_000,
    limit=3.0,
    armed=200_000,
    idle=16.0,
    live=6.0,
    projected=50_000,
    rebuilt=10_000,
    decided=1_000,
    reads=100,
)


class Bench:
    """One run of the chosen sections."""

    def __init__(self, plan: Plan, sections: set[str], console: Console) -> None:
        self._plan = plan
        self._sections = sections
        self._console = console
        self._started = time.monotonic()
        self._name = run_name()
        self.results = Results()

    @property
    def measures_costs(self) -> bool:
        """Whether a section is asked for that needs the ordinary broker."""
        return bool(self._sections - {CORE, SOAK})

    def core(self) -> None:
        """Measure the product's own code, and print its table."""
        if CORE not in self._sections:
            return
        self.report(f"decision core and router without Kafka, {self._plan.core} rounds")
        self._console.print(core_table(Core(Settings(), essays=ESSAYS).run(self._plan.core)))

    @property
    def needs_kafka(self) -> bool:
        """Whether a section is asked for that measures processes on a Kafka."""
        return bool(self._sections - {SOAK, *WITHOUT_KAFKA})

    def project(self, directory: Path) -> None:
        """Measure the projection."""
        if PROJECTION in self._sections:
            self.report(f"projection: {self._plan.projected} batches")
            self.results.projection = Projection(directory, self.report).run(
                self._plan.projected, decided=self._plan.decided, rounds=self._plan.reads
            )

    def report(self, text: str) -> None:
        """Print the current step and the elapsed time."""
        self._console.print(f"[{time.monotonic() - self._started:4.0f} s] {text}", markup=False)

    def run(self, kafka: Kafka, directory: Path) -> None:
        """Measure."""
        if "alone" in self._sections:
            self.report(f"single processes, {self._plan.rounds} rounds in turns")
            alone = Alone(kafka, directory, self._name, self.report)
            self.results.alone = alone.run(batches=self._plan.batches, essays=ESSAYS, rounds=self._plan.rounds)
        if REBUILD in self._sections:
            with closing(Workplace(kafka, directory, f"{self._name}-rebuild")) as workplace:
                self.results.rebuild = Rebuilding(workplace, self.report).run(self._plan.rebuilt)
        if "deadlines" in self._sections:
            with closing(Workplace(kafka, directory, f"{self._name}-deadlines")) as workplace:
                self.results.deadlines = Deadlines(workplace, self.report).run(self._plan.armed)
        if self._sections - {*WITHOUT_KAFKA, "alone", "deadlines", REBUILD, SOAK}:
            with closing(Workplace(kafka, directory, f"{self._name}-whole")) as workplace:
                self._whole(workplace, kafka)

    def soak(self, directory: Path) -> None:
        """Run the soak, on a broker that removes old records within seconds, or on the cluster that is given."""
        if SOAK not in self._sections:
            return
        self.report(f"soak: {self._plan.soak} batches from registration to purge")
        with kafka_from(settings=soak.BROKER_SETTINGS) as kafka:
            result = soak.Soak(kafka, directory, self._name, self.report).run(
                batches=self._plan.soak, per_second=SOAK_PER_SECOND
            )
        self._console.print(soak.curve_table(result))

    def _whole(self, workplace: Workplace, kafka: Kafka) -> None:
        self.report("starting every process of the product")
        options = StackOptions(
            bootstrap_servers=kafka.bootstrap_servers,
            directory=workplace.directory,
            settings={"TOPIC_PREFIX": workplace.prefix},
        )
        with Stack(options, on_event=self.report) as stack:
            whole = Whole(stack, workplace.broker_pids(), self._name, self.report)
            self._pipeline(whole)
            if "registration" in self._sections:
                whole.settle()
                self._registration(stack)
            if "live" in self._sections:
                whole.settle()
                self._live(stack)

    def _pipeline(self, whole: Whole) -> None:
        if not self._sections & {"whole", "latency"}:
            return
        self.report("whole pipeline, always full")
        self.results.whole = whole.sustained(essays=ESSAYS, seconds=self._plan.sustained)
        if "latency" in self._sections:
            whole.settle()
            half = self.results.whole.per_second / 2
            self.report(f"event to command at half of that, {half:.0f} decisions/s")
            self.results.latency = whole.latency(
                half, essays=ESSAYS, seconds=self._plan.latency, warm_up=self._plan.latency
            )

    def _live(self, stack: Stack) -> None:
        self.report(f"{IDLE_STREAMS} idle streams, then notices at {RATE:.0f} decisions/s")
        self.results.streams = Streams(stack, self._name, self.report).run(
            idle=IDLE_STREAMS, idle_seconds=self._plan.idle, seconds=self._plan.live, essays=ESSAYS
        )

    def _registration(self, stack: Stack) -> None:
        self.report(f"registrations at {REGISTRATION_RATE:.0f}/s")
        self.results.registration = at_rate(
            stack.api_url,
            per_second=REGISTRATION_RATE,
            seconds=self._plan.registration,
            essays=ESSAYS,
            run=f"{self._name}-steady",
        )
        self.report("registrations as fast as possible")
        self.results.registration_limit = as_fast_as_possible(
            stack.api_url, seconds=self._plan.limit, essays=ESSAYS, run=f"{self._name}-limit"
        )


def main() -> int:
    """Run the sections that the arguments choose. A missed aim is printed and is no failure: hosts differ."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter: numbers are rough")
    parser.add_argument(
        "--section", action="append", choices=(*SECTIONS, SOAK), help="only this section; can be repeated"
    )
    parser.add_argument("--batches", type=int, help="batches of the soak, and of projections")
    parser.add_argument("--rounds", type=int, help="rounds of single processes in turns")
    parser.add_argument("--quiet", type=float, default=0, help="wait up to so many seconds until the host is quiet")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    plan = QUICK if arguments.quick else Plan()
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds)
    if arguments.batches:
        plan = replace(plan, soak=arguments.batches, projected=arguments.batches, rebuilt=arguments.batches)
    bench = Bench(plan, set(arguments.section or SECTIONS), console)
    host.await_quiet(_QUIET_LOAD, arguments.quiet, bench.report)
    for name, fact in host.facts().items():
        console.print(f"{name:10} {fact}", markup=False)
    bench.core()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-orchestrator-bench-")))
        bench.project(directory)
        if bench.needs_kafka:
            bench.report(f"Apache Kafka: the one in {BOOTSTRAP_VARIABLE}, or a development broker")
            bench.run(stack.enter_context(kafka_from()), directory)
        bench.soak(directory)
    if not bench.measures_costs:
        return 0
    if bench.needs_kafka:
        console.print(cost_table(bench.results), latency_table(bench.results), deadlines_table(bench.results))
    console.print(*projection_tables(bench.results))
    console.print(aim_table(bench.results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
