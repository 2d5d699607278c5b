"""The demo's progress while batches are followed."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.client import FollowedBatch
from cli.demo.plan import PlannedBatch
from schemas.internal.enums import PhaseStatus


class Bars:
    """Live progress: bars in a terminal, a line at each change elsewhere."""

    def __init__(self, console: Console, planned: Sequence[PlannedBatch]) -> None:
        self._console = console
        batches = self._batches = len(planned)
        total = {"cj_assessment ended": sum("cj_assessment" in plan.phases for plan in planned)}
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        names = ("registered", "ready", "spellcheck ended", "cj_assessment ended", "batches ended")
        self._tasks = {name: self._progress.add_task(name, total=total.get(name, batches)) for name in names}
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
            "spellcheck ended": sum(_phase_ended(batch, "spellcheck") for batch in batches),
            "cj_assessment ended": sum(_phase_ended(batch, "cj_assessment") for batch in batches),
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
