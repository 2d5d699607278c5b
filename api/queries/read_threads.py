"""Threads for reads that can hang: a caller waits for a bounded time, and the event loop never blocks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, TypeVar

from schemas.errors import OrchestratorError, ProjectionError

Answer = TypeVar("Answer")
THREADS = 4
"""Concurrent database reads of one worker."""


def _no_answer_from_database(timeout_s: float) -> OrchestratorError:
    return ProjectionError(
        f"The projection database has not answered within {timeout_s:g} s.",
        next_step="Check that it runs and that nothing locks its tables; registrations still work meanwhile.",
    )


class _Read:
    """One read: queued, running in a thread, or done."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.future: Future[Any] = Future()
        self.lock = Lock()
        self.thread: int | None = None
        self.given_up = False
        self._work = work

    def run(self) -> None:
        """Run the read, unless its caller has given up."""
        if not self.future.set_running_or_notify_cancel():
            return
        with self.lock:
            self.thread = get_ident()
        try:
            outcome = self._work()
        except BaseException as error:  # noqa: BLE001 - the caller gets the error, not the thread
            self._leave()
            self.future.set_exception(error)
        else:
            self._leave()
            self.future.set_result(outcome)

    def _leave(self) -> None:
        with self.lock:
            self.thread = None


class ReadThreads:
    """Runs reads in daemon threads, each for at most `timeout_s` seconds from its request.

    `interrupt` is called with the identifier of a thread whose read took longer, and should abort that read.
    `no_answer` returns the error for a caller whose read took longer than the seconds that it is given. Nothing waits
    for a thread whose read goes on anyway, not even the end of the process.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        interrupt: Callable[[int], None],
        threads: int = THREADS,
        name: str = "projection",
        no_answer: Callable[[float], OrchestratorError] = _no_answer_from_database,
    ) -> None:
        self._timeout_s = timeout_s
        self._interrupt = interrupt
        self._no_answer = no_answer
        self._threads = threads
        self._reads: SimpleQueue[_Read | None] = SimpleQueue()
        self._stuck = 0
        self._lock = Lock()
        for number in range(threads):
            Thread(target=self._serve, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Return the result of `work`, called in a thread. Raises what `no_answer` returns on a timeout."""
        if self._stuck >= self._threads:
            raise self._no_answer(self._timeout_s)
        read = _Read(work)
        self._reads.put(read)
        try:
            async with asyncio.timeout(self._timeout_s) as bound:
                answer: Answer = await asyncio.wrap_future(read.future)
                return answer
        except (TimeoutError, asyncio.CancelledError) as error:
            self._give_up(read)
            if bound.expired():
                raise self._no_answer(self._timeout_s) from error
            raise

    def stop(self) -> None:
        """End the threads when their current reads are done."""
        for _ in range(self._threads):
            self._reads.put(None)

    def _serve(self) -> None:
        while (read := self._reads.get()) is not None:
            read.run()
            if read.given_up:
                with self._lock:
                    self._stuck -= 1

    def _give_up(self, read: _Read) -> None:
        with read.lock:  # so the thread cannot begin another read, which would be interrupted instead
            if read.thread is None:
                return
            with self._lock:
                self._stuck += 1
            read.given_up = True
            self._interrupt(read.thread)
