"""Runs the demo: broker, stack, peers, registrations, progress, verdict."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from cli.broker import kafka_from
from cli.demo import showcase
from cli.demo.client import CONCURRENCY, DemoClient
from cli.demo.deadlines import await_nothing_due, deadline_facts, deadlines_table, write_pipeline
from cli.demo.fault import KillInOpenTransaction
from cli.demo.plan import PlannedBatch, plan
from cli.demo.progress import Bars, keep_running, stop_asked
from cli.demo.table import percentile, result_table
from cli.demo.verdict import differences
from cli.supervision.stack import Stack, StackOptions
from cli.verifier import verify
from peers.options import Era, PeerOptions
from peers.playing import Peers
from runtime.settings_loading import load_settings

_FOLLOW_SECONDS = 600.0
_SHOWN_PROBLEMS = 20
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Options of the demo. Rates are probabilities from 0 to 1."""

    batches: int = 100
    essays: int = 25
    era: Era = "seed"
    seed: int = 0
    failed: float = 0.03
    critical: float = 0.0
    unaccounted: float = 0.0
    repeats: float = 0.0
    reorder: bool = False
    keyless: bool | None = None
    orchestrators: int = 1
    kill_orchestrator: bool = False
    silent_peer: bool = False
    keep: bool = False

    def peers(self, topic_prefix: str) -> PeerOptions:
        """Return the options of the simulated peers."""
        return PeerOptions(
            topic_prefix=topic_prefix,
            era=self.era,
            seed=self.seed,
            latency=(0.05, 0.5),
            validation_failure_rate=self.failed / 5,
            failed_essay_rate=self.failed,
            critical_rate=self.critical,
            unaccounted_rate=self.unaccounted,
            repeat_rate=self.repeats,
            reorder_spread=1.0 if self.reorder else 0.0,
            keyless=self.keyless,
            silent=self.silent_peer,
        )

    def settings(self, directory: Path) -> dict[str, str]:
        """Return the settings of the product, by their names without the prefix; files go to `directory`."""
        found = {}
        if self.silent_peer:
            found["PIPELINES_FILE"] = str(write_pipeline(directory))
        elif self.keep:
            found["PIPELINES_FILE"] = str(showcase.write_pipelines(directory))
        return found

    def orchestrator_settings(self) -> dict[str, str]:
        """Return the settings of the orchestrators alone."""
        if not self.kill_orchestrator:
            return {}
        # Transactions stay open for a while, so that the kill is faster, and their records go out as they are made.
        extra = {**load_settings().kafka_extra, "linger.ms": 5}
        return {"COMMIT_INTERVAL_S": "2", "COMMIT_IDLE_S": "1", "KAFKA_EXTRA": json.dumps(extra)}


def run(options: DemoOptions, console: Console) -> bool:
    """Run the demo; return whether every batch ended as scripted, and the topics agree."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-orchestrator-demo-")))
        console.print("Starting Apache Kafka …")
        kafka = stack.enter_context(kafka_from())
        console.print(f"Apache Kafka at {kafka.bootstrap_servers}. Starting all processes …")
        stack_options = StackOptions(
            bootstrap_servers=kafka.bootstrap_servers,
            directory=directory,
            orchestrators=max(options.orchestrators, 2 if options.keep else 1),
            settings=options.settings(directory),
            orchestrator_settings=options.orchestrator_settings(),
        )
        product = stack.enter_context(Stack(stack_options, on_event=lambda text: console.print(f"supervisor: {text}")))
        peers = stack.enter_context(Peers(options.peers(product.settings.topic_prefix), kafka.bootstrap_servers))
        console.print(
            f"Healthy at {product.api_url}. Registering {options.batches} batches of {options.essays} essays."
        )
        sound = _Demo(options, product, peers, console).play()
        if options.keep and options.silent_peer:
            keep_running(product, console)
        elif options.keep:
            peers.stop()
            with stop_asked() as asked:
                showcase.play(
                    product,
                    options.peers(product.settings.topic_prefix),
                    essays=options.essays,
                    era=options.era,
                    console=console,
                    asked=asked,
                )
    return sound


class _Demo:
    def __init__(self, options: DemoOptions, product: Stack, peers: Peers, console: Console) -> None:
        self._options = options
        self._product = product
        self._peers = peers
        self._console = console
        # A kill is to meet a backlog, for which all batches are registered at once.
        concurrency = options.batches if options.kill_orchestrator else CONCURRENCY
        self._client = DemoClient(product.api_url, concurrency=concurrency)

    def play(self) -> bool:
        """Register and follow the batches, and return the verdict."""
        options = self._options
        planned = plan(batches=options.batches, essays=options.essays, era=options.era, seed=options.seed)
        fault = self._fault()
        asyncio.run(self._register_and_follow(planned))
        hit = fault is None or self._report_fault(fault)
        # The completed event is committed with the status; the peers may read it a moment later.
        self._peers.wait_completed(len(planned), timeout=_PATIENCE_SECONDS)
        kept = not self._options.silent_peer or self._judge_deadlines()
        return self._judge() and hit and kept

    def _fault(self) -> KillInOpenTransaction | None:
        if not self._options.kill_orchestrator:
            return None
        settings = self._product.settings
        fault = KillInOpenTransaction(
            settings.kafka(), settings.topics(), lambda number: self._product.supervisor.kill("orchestrator-0", number)
        )
        fault.arm()
        return fault

    def _report_fault(self, fault: KillInOpenTransaction) -> bool:
        fault.disarm()
        aborted = fault.aborted()
        self._console.print(
            f"SIGKILL of the orchestrator: {fault.kills}; commands in the transaction that it left open: "
            f"{aborted.commands}, without other records of their decision: {aborted.torn}; "
            f"{aborted.decided} of {aborted.waiting} waiting inbox records were decided in it. "
            f"The kill came {'between two of its outputs' if aborted.between else 'after its outputs'}."
        )
        return aborted.commands > 0

    async def _register_and_follow(self, planned: Sequence[PlannedBatch]) -> None:
        with Bars(self._console, planned) as bars:

            def show() -> None:
                bars.show(self._client.batches)

            following = asyncio.create_task(self._follow(len(planned), show))
            await self._client.register_all(planned)
            await following

    async def _follow(self, number: int, show: Callable[[], None]) -> None:
        ended = await self._client.follow_all(
            number, seconds=_FOLLOW_SECONDS, on_change=show, check=self._product.supervisor.check
        )
        if not ended:
            self._console.print(f"Not every batch ended within {_FOLLOW_SECONDS:.0f} s.")

    def _judge_deadlines(self) -> bool:
        """Print what came of the deadlines, and return whether every batch ended by one and none is left armed."""
        settings = self._product.settings
        facts = deadline_facts(settings.kafka(), settings.topics())
        port = self._product.metrics_ports["timekeeper"]
        problems = [*facts.problems, *await_nothing_due(port, facts.purges, seconds=_PATIENCE_SECONDS)]
        if len(facts.late_s) != len(self._client.batches):
            problems.append(f"{len(facts.late_s)} phases were given up, of {len(self._client.batches)} batches")
        self._console.print(deadlines_table(facts))
        for problem in problems[:_SHOWN_PROBLEMS]:
            self._console.print(f"[red]✗[/] {escape(problem)}")
        if not problems:
            self._console.print("[green]✓[/] Every batch ended by its deadline; only purges are armed.")
        return not problems

    def _judge(self) -> bool:
        batches = self._client.batches
        self._console.print(result_table(batches))
        took = sorted(batch.registration_s for batch in batches)
        self._console.print(
            f"Registration over HTTP, until it is committed: p50 {percentile(took, 50) * 1000:.0f} ms, "
            f"p99 {percentile(took, 99) * 1000:.0f} ms."
        )
        settings = self._product.settings
        findings = verify(settings.kafka(), settings.topics(), patience=_PATIENCE_SECONDS)
        self._console.print(
            f"Log: {findings.inbox} inbox records, {findings.history} history records {dict(findings.dispositions)}, "
            f"{findings.effects} published to peers."
        )
        problems = differences(batches, self._peers.report()) + findings.problems
        for problem in problems[:_SHOWN_PROBLEMS]:
            self._console.print(f"[red]✗[/] {escape(problem)}")
        if len(batches) < self._options.batches:
            problems.append("not every batch is registered")
        if problems:
            self._console.print(f"[red]{len(problems)} problems.[/]")
        else:
            self._console.print(f"[green]✓[/] All {len(batches)} batches ended as scripted; the log is whole.")
        return not problems
