"""A real projection database behind the cluster in memory, brought up to date by each query."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sqlalchemy import Engine

from api.kafka_log.kafka_log import LogPartition, LogRecord
from state.projection import Identity, ProjectedRecord, Reader, Writer, open_engine

Answer = TypeVar("Answer")
_migrated: list[bytes] = []
"""A database with the schema and without rows: a copy of it saves each database the migrations."""


class MemoryDatabase:
    """Applies what is new of the records that a query may see. Not thread-safe."""

    def __init__(self) -> None:
        self._directory: TemporaryDirectory[str] | None = None
        self._applied: dict[LogPartition, int] = {}
        self._engine: Engine | None = None
        self._writer: Writer | None = None

    def query(
        self,
        logs: dict[LogPartition, list[LogRecord]],
        ends: dict[LogPartition, int],
        query: Callable[[Reader], Answer],
    ) -> Answer:
        """Return the result of a query of a database that reflects each partition up to its end."""
        if self._engine is None or any(ends.get(at, 0) < offset for at, offset in self._applied.items()):
            self._begin()
        assert self._writer is not None
        for partition, end in ends.items():
            first = self._applied.get(partition, 0)
            new = [_projected(record) for record in logs[partition] if first <= record.offset < end]
            if new:
                self._writer.apply(new)
            self._applied[partition] = end
        assert self._engine is not None
        return query(Reader(self._engine))

    def close(self) -> None:
        """Remove the database."""
        if self._engine is not None:
            self._engine.dispose()
        if self._directory is not None:
            self._directory.cleanup()
        self._engine = self._directory = self._writer = None
        self._applied = {}

    def _begin(self) -> None:
        self.close()
        self._directory = TemporaryDirectory(prefix="bos-projection-")
        file = Path(self._directory.name, "projection.db")
        if _migrated:
            file.write_bytes(_migrated[0])
        self._engine = open_engine(f"sqlite:///{file}")
        self._writer = Writer(self._engine)
        self._writer.prepare(Identity("cluster", "inbox"))
        if not _migrated:
            self._engine.dispose()  # so that the file holds everything
            _migrated.append(file.read_bytes())


def _projected(record: LogRecord) -> ProjectedRecord:
    return ProjectedRecord(
        record.partition.topic,
        record.partition.number,
        record.offset,
        1_750_000_000_000 + record.offset,
        record.key,
        record.value,
        tuple(record.headers.items()),
    )
