"""The sections that measure all processes of the product together, on one stack."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench import plan as sections
from bench.latency import Latency
from bench.pipelines import bare, product
from bench.plan import ESSAYS, Plan
from bench.registering import as_fast_as_possible, at_rate
from bench.results import Results
from bench.streams import RATE, Streams
from bench.whole import Whole
from bench.workplace import Workplace
from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions

REGISTRATION_RATE = 50.0
"""Registrations a second of the steady load."""
IDLE_STREAMS = 1_000


class OnAStack:
    """Measures the chosen sections, and puts what it finds into `results`."""

    def __init__(self, plan: Plan, chosen: set[str], name: str, report: Callable[[str], None]) -> None:
        self._plan = plan
        self._chosen = chosen
        self._name = name
        self._report = report

    def run(self, kafka: Kafka, directory: Path, results: Results) -> None:
        """Start every process, and measure."""
        with closing(Workplace(kafka, directory, f"{self._name}-whole")) as workplace:
            self._report("starting every process of the product")
            options = StackOptions(
                bootstrap_servers=kafka.bootstrap_servers,
                directory=workplace.directory,
                settings=workplace.own_names,
            )
            with Stack(options, on_event=self._report) as stack:
                workplace.stamp_appends(stack.settings)
                whole = Whole(stack, workplace.broker_pids(), workplace.broker_data(), self._name, self._report)
                if sections.WHOLE in self._chosen:
                    self._report("whole pipeline, always full")
                    results.whole = whole.sustained(
                        essays=ESSAYS,
                        seconds=self._plan.sustained,
                        in_flight=self._plan.in_flight,
                        compiled=self._plan.compiled,
                    )
                    whole.settle()
                if sections.LATENCY in self._chosen:
                    with closing(Workplace(kafka, directory, f"{self._name}-bare")) as other, bare(other) as loop:
                        pipelines = (product(stack, whole), loop)
                        results.latency = Latency(self._plan, pipelines, self._name, self._report).run()
                if sections.REGISTRATION in self._chosen:
                    whole.settle()
                    self._registration(stack, results)
                if sections.LIVE in self._chosen:
                    whole.settle()
                    self._live(stack, results)

    def _registration(self, stack: Stack, results: Results) -> None:
        self._report(f"registrations at {REGISTRATION_RATE:.0f}/s")
        results.registration = at_rate(
            stack.api_url,
            per_second=REGISTRATION_RATE,
            seconds=self._plan.registration,
            essays=ESSAYS,
            run=f"{self._name}-steady",
        )
        self._report("registrations as fast as possible")
        results.registration_limit = as_fast_as_possible(
            stack.api_url, seconds=self._plan.limit, essays=ESSAYS, run=f"{self._name}-limit"
        )

    def _live(self, stack: Stack, results: Results) -> None:
        self._report(f"{IDLE_STREAMS} idle streams, then notices at {RATE:.0f} decisions/s")
        results.streams = Streams(stack, self._name, self._report).run(
            idle=IDLE_STREAMS, idle_seconds=self._plan.idle, seconds=self._plan.live, essays=ESSAYS
        )
