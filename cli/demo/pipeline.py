"""The demo of a pipeline file: played workers run its default pipeline, and a client resolves what is held."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from cli.broker import kafka_from
from cli.demo.client import DemoClient, FollowedBatch
from cli.demo.plan import PlannedBatch, plan
from cli.demo.progress import Bars, keep_running
from cli.demo.table import result_table
from cli.supervision.stack import Stack, StackOptions
from cli.verifier import verify
from peers.options import PeerOptions
from peers.playing import Peers
from peers.workers import WorkerOptions, Workers
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.internal.pipeline import PipelineDefinition
from schemas.topics import TopicTable
from state.pipelines.loader import load_pipelines
from topology.topics.deployed import deployed_topics

_FOLLOW_SECONDS = 600.0
_PATIENCE_SECONDS = 60.0
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDemoOptions:
    """Options of the demo of a pipeline file. Rates are probabilities from 0 to 1."""

    file: Path
    batches: int = 100
    essays: int = 25
    seed: int = 0
    failed: float = 0.0
    """Chance of each essay to fail for a passing reason in an attempt that another one follows."""
    held: float = 0.0
    """Chance of each batch to have a phase fail as a whole that is held for a person then."""
    keep: bool = False


def run_pipeline(options: PipelineDemoOptions, console: Console) -> bool:
    """Run the default pipeline of a file; return whether every batch came through, and the topics agree.

    Raises `ConfigurationError` for a wrong file, before a broker is started.
    """
    pipeline = load_pipelines(options.file).default
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-orchestrator-demo-")))
        console.print("Starting Apache Kafka …")
        kafka = stack.enter_context(kafka_from())
        console.print(f"Apache Kafka at {kafka.bootstrap_servers}. Starting router, orchestrator, projector and api …")
        stack_options = StackOptions(
            bootstrap_servers=kafka.bootstrap_servers,
            directory=directory,
            settings={"PIPELINES_FILE": str(options.file.absolute())},
        )
        product = stack.enter_context(Stack(stack_options, on_event=lambda text: console.print(f"supervisor: {text}")))
        topics = deployed_topics(product.settings)
        peers = PeerOptions(topic_prefix=topics.prefix, seed=options.seed, latency=(0.05, 0.5), judges_ends=False)
        played = stack.enter_context(Peers(peers, kafka.bootstrap_servers))
        workers = stack.enter_context(Workers(worker_options(pipeline, topics, options), kafka.bootstrap_servers))
        console.print(f"Healthy at {product.api_url}. Registering {options.batches} batches for {pipeline.name}.")
        sound = _PipelineDemo(options, pipeline, product, played, workers, console).play()
        if options.keep:
            keep_running(product, console)
    return sound


def worker_options(pipeline: PipelineDefinition, topics: TopicTable, options: PipelineDemoOptions) -> WorkerOptions:
    """Return what the workers must know of a pipeline: topics, and where a failure can be mended."""
    generic = [phase for phase in pipeline.phases if phase.payload == "generic"]
    return WorkerOptions(
        topics={phase.name: topics.phase_command(phase.name, phase.command_topic) for phase in generic},
        topic_prefix=topics.prefix,
        seed=options.seed,
        failed_essay_rate=options.failed,
        flaky={phase.name: phase.max_attempts - 1 for phase in generic if phase.max_attempts > 1},
        broken_rate=options.held,
        broken=frozenset(phase.name for phase in generic if phase.on_failure == "hold" and phase.max_attempts == 1),
    )


class PersonAtHand(DemoClient):
    """Follows batches, and has each phase that is held run again, as a person would."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.retried: set[tuple[str, str, int]] = set()
        """Held attempts for which a retry was requested: batch, phase, attempt."""

    async def look_at(self, http: httpx.AsyncClient, batch: FollowedBatch) -> None:
        """Request a retry of each phase that is held."""
        for phase in batch.plan.phases:
            detail: dict[str, Any] = batch.status["pipeline_state"][phase]
            held = (batch.batch_id, phase, detail["attempt"])
            if detail["status"] != PhaseStatus.HELD.value or held in self.retried:
                continue
            response = await http.post(
                f"/v1/batches/{batch.batch_id}/retry",
                json={"phase": phase, "essays": "failed", "reason": "The worker is well again."},
                headers={"Idempotency-Key": f"{batch.plan.key}-{phase}-{detail['attempt']}"},
            )
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:  # else it is repeated at the next look
                response.raise_for_status()
                self.retried.add(held)


class _PipelineDemo:
    def __init__(
        self,
        options: PipelineDemoOptions,
        pipeline: PipelineDefinition,
        product: Stack,
        peers: Peers,
        workers: Workers,
        console: Console,
    ) -> None:
        self._options = options
        self._pipeline = pipeline
        self._product = product
        self._peers = peers
        self._workers = workers
        self._console = console
        self._client = PersonAtHand(product.api_url)

    def play(self) -> bool:
        """Register and follow the batches, and return the verdict."""
        asyncio.run(self._register_and_follow(self._planned()))
        return self._judge()

    def _planned(self) -> list[PlannedBatch]:
        names = tuple(phase.name for phase in self._pipeline.phases)
        options = self._options
        planned = plan(batches=options.batches, essays=options.essays, era="seed", seed=options.seed)
        asked = {"pipeline": self._pipeline.name, "phases": list(names)}
        return [PlannedBatch(body={**one.body, **asked}, key=one.key, phases=names) for one in planned]

    async def _register_and_follow(self, planned: Sequence[PlannedBatch]) -> None:
        with Bars(self._console, planned) as bars:
            following = asyncio.create_task(
                self._client.follow_all(
                    len(planned),
                    seconds=_FOLLOW_SECONDS,
                    on_change=lambda: bars.show(self._client.batches),
                    check=self._product.supervisor.check,
                )
            )
            await self._client.register_all(planned)
            if not await following:
                self._console.print(f"Not every batch ended within {_FOLLOW_SECONDS:.0f} s.")

    def _judge(self) -> bool:
        batches, settings = self._client.batches, self._product.settings
        self._console.print(result_table(batches))
        done = ", ".join(f"{what}: {number}" for what, number in sorted(self._workers.counts.items()))
        self._console.print(f"Commands done by the workers: {done}.")
        self._console.print(f"Phases that were held, and retried by the client: {len(self._client.retried)}.")
        findings = verify(settings.kafka(), deployed_topics(settings), patience=_PATIENCE_SECONDS)
        problems = [problem for batch in batches for problem in unsound(batch)] + findings.problems
        problems += [f"the peers complain: {found.rule}: {found.text}" for found in self._peers.report().complaints]
        if len(batches) < self._options.batches:
            problems.append("not every batch is registered")
        for problem in problems[:_SHOWN_PROBLEMS]:
            self._console.print(f"[red]✗[/] {escape(problem)}")
        verdict = f"[red]{len(problems)} problems.[/]"
        if not problems:
            verdict = f"[green]✓[/] All {len(batches)} batches came through {self._pipeline.name}; the log is whole."
        self._console.print(verdict)
        return not problems


def unsound(batch: FollowedBatch) -> list[str]:
    """Return how the end of a batch differs from the script, by which every failure is mended."""
    status = batch.status
    if not status:
        return [f"{batch.batch_id}: it has no status"]
    found = []
    if status["status"] != BatchStatus.COMPLETED_SUCCESSFULLY.value:
        found.append(f"{batch.batch_id}: ended as {status['status']} ({status['reason']})")
    state = status["pipeline_state"]
    if tuple(state["requested_pipelines"]) != batch.plan.phases:
        found.append(f"{batch.batch_id}: phases {state['requested_pipelines']}, asked for {batch.plan.phases}")
    lost = status["counts"]["expected"] - status["counts"]["succeeded"]
    if lost:
        found.append(f"{batch.batch_id}: {lost} essays did not come through")
    return found
