"""The projection as the api reads it: the snapshot of a batch, and the offsets that the projection has reached."""

from collections.abc import Mapping
from typing import Protocol

from api.kafka_log.kafka_log import LogPartition
from api.queries.read_threads import ReadThreads
from schemas.internal.status import StatusRecord


class ProjectionQueries(Protocol):
    """Reads the database from any thread, without a timeout.

    Reads raise `OrchestratorError` while there is no usable database, and `ProjectionEmpty` if it is new and empty.
    """

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the next offset of each partition that the projection will read."""

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

    def stop(self) -> None:
        """End the threads without waiting for one whose read hangs."""
        self._threads.stop()
