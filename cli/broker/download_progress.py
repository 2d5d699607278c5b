"""Progress of a download on stderr: a bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

_PLAIN_INTERVAL_SECONDS = 2.0


class Progress:
    """Counts finished files out of `total`, and their bytes."""

    def __init__(self, title: str, *, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._bytes = 0
        self._console = Console(stderr=True)
        self._printed_at = time.monotonic()
        self._bar: Bar | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Bar(*columns, console=self._console)
            self._task = self._bar.add_task(self._title, total=self._total)
            self._bar.start()
        else:
            self._print(f"fetching {self._total} files")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif error is None:
            self._print("complete")

    def advance(self, size: int) -> None:
        """Count one more file of `size` bytes."""
        self._done += 1
        self._bytes += size
        if self._bar is not None:
            self._bar.advance(self._task)
        elif time.monotonic() - self._printed_at >= _PLAIN_INTERVAL_SECONDS:
            self._print(f"{self._done} of {self._total} files, {self._bytes / 1e6:.0f} MB")

    def _print(self, text: str) -> None:
        self._printed_at = time.monotonic()
        self._console.print(f"{self._title}: {text}", soft_wrap=True, highlight=False, markup=False)
