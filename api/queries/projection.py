"""The projection as the api reads it: the snapshot of a batch, and the offsets that the projection has reached.

The database may start later than the api, or be unavailable for a while.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from api.kafka_log.kafka_log import LogPartition
from api.queries.read_threads import ReadThreads
from schemas.errors import OrchestratorError, ProjectionEmpty, ProjectionError
from schemas.internal.enums import Disposition
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from state.projection import HistoryPage, Identity, LetterReader, Reader, ReadInterrupts, now_ms, open_engine

_NEXT_STEP = "Start the projector, and check PROJECTION_URL of both processes."
Answer = TypeVar("Answer")


class ProjectionQueries(Protocol):
    """Reads the database from any thread, without a timeout.

    Reads raise `OrchestratorError` while there is no usable database, and `ProjectionEmpty` if it is new and empty.
    """

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the next offset of each partition that the projection will read."""

    def history(
        self, batch_id: str, *, after: str | None = None, limit: int, dispositions: Sequence[Disposition] = ()
    ) -> HistoryPage:
        """Return a page of a batch's history, the oldest first. Raises `InvalidCursor`."""

    def letters(self, query: Callable[[LetterReader], Answer]) -> Answer:
        """Return the result of a query of dead letters. Raises `InvalidCursor`."""

    def read(self, query: Callable[[Reader], Answer]) -> Answer:
        """Return the result of any query: lists, counts, stats, ids. Raises what the query raises."""

    def interrupt(self, thread: int) -> None:
        """Abort the read of the thread with this identifier."""


class BoundedProjection:
    """The same reads for the event loop, each with a timeout of `timeout_s`; then it raises `ProjectionError`."""

    def __init__(self, queries: ProjectionQueries, *, timeout_s: float) -> None:
        self._queries = queries
        self._threads = ReadThreads(timeout_s=timeout_s, interrupt=queries.interrupt)

    async def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""
        return await self._threads.run(lambda: self._queries.get(batch_id))

    async def offsets(self) -> Mapping[LogPartition, int]:
        """Return the next offset of each partition that the projection will read."""
        return await self._threads.run(self._queries.offsets)

    async def history(
        self, batch_id: str, *, after: str | None = None, limit: int, dispositions: Sequence[Disposition] = ()
    ) -> HistoryPage:
        """Return a page of a batch's history, the oldest first. Raises `InvalidCursor`."""
        return await self._threads.run(
            lambda: self._queries.history(batch_id, after=after, limit=limit, dispositions=dispositions)
        )

    async def letters(self, query: Callable[[LetterReader], Answer]) -> Answer:
        """Return the result of a query of dead letters. Raises `InvalidCursor`."""
        return await self._threads.run(lambda: self._queries.letters(query))

    async def read(self, query: Callable[[Reader], Answer]) -> Answer:
        """Return the result of any query: lists, counts, stats, ids. Raises what the query raises."""
        return await self._threads.run(lambda: self._queries.read(query))

    def stop(self) -> None:
        """End the threads without waiting for one whose read hangs."""
        self._threads.stop()


class DatabaseProjection:
    """Reads the projection at a database URL, after checking that it holds this cluster's events.

    `expected` returns the cluster and inbox whose events it must hold; it is called once.
    """

    def __init__(
        self, url: str, expected: Callable[[], Identity], *, timeout_s: float, clock_ms: Callable[[], int] = now_ms
    ) -> None:
        self._engine = open_engine(url, reads_within_s=timeout_s)
        self._interrupts = ReadInterrupts(self._engine, statement_timeout_s=timeout_s)
        self._reader = Reader(self._engine, clock_ms=clock_ms)
        self._expected = expected
        self._mine: Identity | None = None
        self._opened = 0
        """Number of connections made so far: a new connection can lead to another database."""
        self._checked: int | None = None
        """Value of `_opened` at the last successful check of schema and identity."""
        event.listen(self._engine, "connect", self._count)

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""
        return self._run(lambda: self._reader.get(batch_id))

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the next offset of each partition that the projection will read."""
        found = self._run(self._own_offsets)
        return {LogPartition(topic, number): offset for (topic, number), offset in found.items()}

    def history(
        self, batch_id: str, *, after: str | None = None, limit: int, dispositions: Sequence[Disposition] = ()
    ) -> HistoryPage:
        """Return a page of a batch's history, the oldest first. Raises `InvalidCursor`."""
        return self._run(lambda: self._reader.history(batch_id, after=after, limit=limit, dispositions=dispositions))

    def letters(self, query: Callable[[LetterReader], Answer]) -> Answer:
        """Return the result of a query of dead letters. Raises `InvalidCursor`."""
        return self._run(lambda: query(self._reader))

    def read(self, query: Callable[[Reader], Answer]) -> Answer:
        """Return the result of any query: lists, counts, stats, ids. Raises what the query raises."""
        return self._run(lambda: query(self._reader))

    def interrupt(self, thread: int) -> None:
        """Abort the read of another thread."""
        self._interrupts.interrupt(thread)

    def close(self) -> None:
        """Close the connections; one that a thread still reads from is closed when that read ends."""
        self._interrupts.close_at_checkin()
        self._engine.dispose()

    def _count(self, _connection: object, _record: object) -> None:
        self._opened += 1

    def _run(self, query: Callable[[], Answer]) -> Answer:
        """Run a query on a database that was checked since the last connection or error."""
        try:
            while True:
                opened = self._opened
                if self._checked != opened:
                    self._check()
                answer = query()
                if self._opened == opened:
                    self._checked = opened
                    return answer
        except SQLAlchemyError as error:
            self._checked = None
            raise _unavailable(f"The projection database cannot be read ({type(error).__name__}).") from error
        except OrchestratorError:
            self._checked = None
            raise

    def _check(self) -> None:
        if not self._reader.ready():
            raise ProjectionEmpty("No projector has made the projection database yet.", next_step=_NEXT_STEP)
        self._require_own()

    def _own_offsets(self) -> dict[tuple[Topic, int], int]:
        self._require_own()  # another dump may have been restored in place
        return self._reader.offsets()

    def _require_own(self) -> None:
        held = self._reader.identity()
        if held is None:
            raise ProjectionEmpty("No projector has begun to fill the projection database yet.", next_step=_NEXT_STEP)
        if self._mine is None:
            self._mine = self._expected()
        if held != self._mine:
            raise ProjectionError(
                "The projection database holds the events of another cluster or inbox.",
                next_step="Point PROJECTION_URL at this cluster's projection, or let the projector make a new one.",
            )


def _unavailable(what: str) -> ProjectionError:
    return ProjectionError(what, next_step=_NEXT_STEP)
