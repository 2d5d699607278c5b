"""The projection database as the api reads it: the snapshot of a batch, and how far the projection has come."""

from collections.abc import Mapping
from typing import Protocol

from api.kafka_log.kafka_log import LogPartition
from api.queries.read_threads import ReadThreads
from schemas.internal.status import StatusRecord


class ProjectionQueries(Protocol):
    """Reads from any thread, for as long as the database takes.

    Reads raise `OrchestratorError` while there is no usable database, of which `ProjectionEmpty` is one that answers.
    """

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the offsets it reflects: the next to be read, by partition."""

    def interrupt(self, thread: int) -> None:
        """Make the read of another thread, named by its identifier, fail now."""


class BoundedProjection:
    """The same reads for the event loop: each answers, or raises `ProjectionError`, within `timeout_s`."""

    def __init__(self, queries: ProjectionQueries, *, timeout_s: float) -> None:
        self._queries = queries
        self._threads = ReadThreads(timeout_s=timeout_s, interrupt=queries.interrupt)

    async def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""
        return await self._threads.run(lambda: self._queries.get(batch_id))

    async def offsets(self) -> Mapping[LogPartition, int]:
        """Return the offsets it reflects."""
        return await self._threads.run(self._queries.offsets)

    def stop(self) -> None:
        """End the threads; one whose read hangs is left behind."""
        self._threads.stop()
