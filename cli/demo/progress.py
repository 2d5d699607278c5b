"""What a demo shows while it runs and after it, when it is kept running."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.client import FollowedBatch
from cli.demo.plan import PlannedBatch
from cli.supervision.stack import Stack
from schemas.internal.enums import PhaseStatus


class Bars:
    """Live progress: bars in a terminal, a line at each change elsewhere."""

    def __init__(self, console: Console, planned: Sequence[PlannedBatch]) -> None:
        self._console = console
        self._batches = len(planned)
        asked = Counter(phase for plan in planned for phase in plan.phases)
        self._phases = tuple(asked)
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        total = dict.fromkeys(("registered", "ready"), self._batches)
        total |= {f"{phase} ended": number for phase, number in asked.items()}
        total["batches ended"] = self._batches
        self._tasks = {name: self._progress.add_task(name, total=number) for name, number in total.items()}
        self._last = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, batches: Sequence[FollowedBatch]) -> None:
        """Show the progress of the batches."""
        done = {
            "registered": len(batches),
            "ready": sum(bool(batch.status) and batch.status["counts"]["ready"] > 0 for batch in batches),
            **{f"{phase} ended": sum(_phase_ended(batch, phase) for batch in batches) for phase in self._phases},
            "batches ended": sum(batch.ended for batch in batches),
        }
        for name, number in done.items():
            self._progress.update(self._tasks[name], completed=number)
        line = ", ".join(f"{name} {number}" for name, number in done.items())
        if not self._console.is_terminal and line != self._last:
            self._console.print(f"  {line} of {self._batches}")
            self._last = line


def _phase_ended(batch: FollowedBatch, phase: str) -> bool:
    if not batch.status or phase not in batch.plan.phases:
        return False
    return PhaseStatus(batch.status["pipeline_state"][phase]["status"]).terminal


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set, in place of ending the demo at once."""
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def keep_running(product: Stack, console: Console) -> None:
    """Keep the product running until Ctrl-C or SIGTERM."""
    console.print(f"[bold]Dashboard: {product.api_url}/[/]   Ctrl-C stops everything.")
    with stop_asked() as asked:
        while not asked.wait(0.5):
            product.supervisor.check()
