"""The projection database as the api reads it: the snapshot of a batch, and how far the projection has come."""

from collections.abc import Mapping
from typing import Protocol

from api.kafka_log.consumer import LogPartition
from schemas.internal.status import StatusRecord


class ProjectionQueries(Protocol):
    """Reads from any thread. Both raise `OrchestratorError` while there is no usable database."""

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the offsets it reflects: the next to be read, by partition."""
