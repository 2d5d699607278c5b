"""One run of the chosen sections, one after the other."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import plan as sections
from bench import soak
from bench.aims import aim_table, measured
from bench.alone import Alone
from bench.core import Core, core_table
from bench.deadlines import Deadlines
from bench.figures import Figures, figures
from bench.latency_tables import latency_tables
from bench.million import Million
from bench.on_a_stack import OnAStack
from bench.plan import ESSAYS, Plan
from bench.projection import Projection
from bench.rebuilding import Rebuilding
from bench.record_sizes import record_sizes
from bench.results import Results
from bench.scaling import Scaling
from bench.store_tables import deadlines_table, million_table, projection_tables, scaling_table
from bench.tables import cost_table
from bench.workplace import Workplace, run_name
from cli.broker import Kafka, kafka_from
from runtime.settings import Settings


class Bench:
    """One run of the chosen sections."""

    def __init__(self, plan: Plan, chosen: set[str], console: Console) -> None:
        self._plan = plan
        self._chosen = chosen
        self._console = console
        self._started = time.monotonic()
        self._name = run_name()
        self.results = Results()

    @property
    def needs_kafka(self) -> bool:
        """Whether a section is asked for that measures processes on the ordinary broker."""
        return bool(self._chosen - {sections.SOAK, *sections.WITHOUT_KAFKA})

    def report(self, text: str) -> None:
        """Print the current step and the elapsed time."""
        self._console.print(f"[{time.monotonic() - self._started:4.0f} s] {text}", markup=False)

    def core(self) -> None:
        """Measure the product's own code."""
        if sections.CORE in self._chosen:
            self.report(f"decision core and router without Kafka, {self._plan.core} rounds")
            self.results.core = Core(Settings(), essays=ESSAYS).run(self._plan.core)
            self.results.sizes = record_sizes(ESSAYS)

    def project(self, directory: Path) -> None:
        """Measure the projection."""
        if sections.PROJECTION in self._chosen:
            self.report(f"projection: {self._plan.projected} batches")
            self.results.projection = Projection(directory, self.report).run(
                self._plan.projected, decided=self._plan.decided, rounds=self._plan.reads
            )

    def run(self, kafka: Kafka, directory: Path) -> None:
        """Measure what runs on the ordinary broker."""
        if sections.ALONE in self._chosen:
            self.report(f"single processes, {self._plan.rounds} rounds in turns")
            alone = Alone(kafka, directory, self._name, self.report)
            self.results.alone = alone.run(batches=self._plan.batches, essays=ESSAYS, rounds=self._plan.rounds)
        if self._chosen & sections.ON_A_STACK:
            OnAStack(self._plan, self._chosen, self._name, self.report).run(kafka, directory, self.results)
        if sections.SCALING in self._chosen:
            self.report("one, two and four orchestrators on the same load")
            scaling = Scaling(kafka, directory, self._name, self.report)
            self.results.scaling = scaling.run(self._plan.scaled, rounds=self._plan.scalings, essays=ESSAYS)
        if sections.MILLION in self._chosen:
            with (
                closing(Workplace(kafka, directory, f"{self._name}-many")) as many,
                closing(Workplace(kafka, directory, f"{self._name}-few")) as few,
            ):
                million = Million(many, few, essays=ESSAYS, report=self.report)
                self.results.million = million.run(self._plan.many, self._plan.few)
        if sections.DEADLINES in self._chosen:
            with closing(Workplace(kafka, directory, f"{self._name}-deadlines")) as workplace:
                self.results.deadlines = Deadlines(workplace, self.report).run(self._plan.armed)
        if sections.REBUILD in self._chosen:
            with closing(Workplace(kafka, directory, f"{self._name}-rebuild")) as workplace:
                self.results.rebuild = Rebuilding(workplace, self.report).run(self._plan.rebuilt)

    def soak(self, directory: Path) -> None:
        """Run the soak, on a broker that removes old records within seconds, or on the cluster that is given."""
        if sections.SOAK not in self._chosen:
            return
        self.report(f"soak: {self._plan.soak} batches from registration to purge")
        with kafka_from(settings=soak.BROKER_SETTINGS) as kafka:
            self.results.soak = soak.Soak(kafka, directory, self._name, self.report).run(
                batches=self._plan.soak, per_second=sections.SOAK_PER_SECOND
            )

    def figures(self) -> Figures:
        """Return the figures of what was measured."""
        return {figure.name: figure.value for figure in figures(self.results)}

    def tables(self) -> Iterator[Table]:
        """Yield the tables of what was measured, that of the aims last."""
        if self.results.core is not None:
            yield core_table(self.results.core)
        if self.needs_kafka:
            yield cost_table(self.results)
            yield from latency_tables(self.results)
        if self.results.scaling is not None:
            yield scaling_table(self.results.scaling)
        if self.results.million is not None:
            yield million_table(self.results.million)
        if self.results.deadlines is not None:
            yield deadlines_table(self.results)
        yield from projection_tables(self.results)
        if self.results.soak is not None:
            yield soak.curve_table(self.results.soak)
        found = self.figures()
        if any(measured(found)):
            yield aim_table(found)
