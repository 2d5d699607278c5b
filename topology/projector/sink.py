"""The sink of the projector: it writes a checkpoint's records and their offsets in one database transaction.

The library calls `flush` before it commits offsets to Kafka. Those offsets only measure lag: after a restart reading
starts at the projection's own offsets (`StartFromProjection`), because they are written together with the rows.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Lock
from typing import Any, Protocol, TypeVar

from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from runtime.kafka.admin import ClusterFacts
from runtime.logs import get_logger
from schemas.errors import Code, ProjectionError
from schemas.topics import Topic
from state.projection import Applied, ProjectedRecord, require_not_ahead
from topology.stream.library import BaseSink, HeadersTuples

PATIENCE_S = 60.0
"""Seconds for which an unreachable or locked database is retried before the process ends."""
_ONE_TRY_S = 30.0
"""Seconds that one attempt takes at most."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL", "SQLITE_FULL", "SQLITE_IOERR")
GAP_CODE = Code.PROJECTION_GAP
PRUNE_INTERVAL_S = 3_600.0

_logger = get_logger(__name__)
Result = TypeVar("Result")


class ProjectionWriter(Protocol):
    """The methods of `state.projection.Writer` that the sink uses."""

    def apply(self, records: Sequence[ProjectedRecord]) -> Applied:
        """Apply records and their offsets in one transaction."""

    def offsets(self) -> dict[tuple[Topic, int], int]:
        """Return the next offset of each partition."""

    def prune(self, now_ms: int) -> bool:
        """Delete some of the rows whose records the topics no longer hold; return whether there may be more."""


class ProjectionSink(BaseSink):
    """Collects records and applies them when a checkpoint is committed.

    `flush` raises `ProjectionError` if the database stays unavailable for `patience_s` seconds; the checkpoint is then
    not committed, and nothing is lost. Setting `stopping` ends the retries.
    """

    def __init__(
        self,
        projection: ProjectionWriter,
        topics: Mapping[str, Topic],
        *,
        stopping: Event,
        observe: Callable[[Applied, float], None] = lambda _applied, _seconds: None,
        patience_s: float = PATIENCE_S,
        prune_interval_s: float = PRUNE_INTERVAL_S,
    ) -> None:
        super().__init__()
        self._projection = projection
        self._topics = topics
        self._stopping = stopping
        self._observe = observe
        self._patience_s = patience_s
        self._prune_interval_s = prune_interval_s
        self.allowing: Callable[[float], AbstractContextManager[None]] = lambda _seconds: nullcontext()
        """Called with the seconds that a flush may take, so that the watchdog does not take the wait for a hang."""
        self.written: Callable[[Sequence[ProjectedRecord]], None] = lambda _records: None
        """Called with the records of each transaction after it."""
        self._records: list[ProjectedRecord] = []
        # On a revoke the library flushes from a thread of its own, which can outlast the library's timeout.
        self._lock = Lock()
        self._pruned = float("-inf")
        self._more_to_prune = False

    def add(
        self,
        value: bytes | None,
        key: bytes | None,
        timestamp: int,
        headers: HeadersTuples,
        topic: str,
        partition: int,
        offset: int,
    ) -> None:
        """Take in a record; a tombstone's value is None."""
        given = tuple((name, content) for name, content in headers or () if isinstance(content, bytes))
        self._records.append(ProjectedRecord(self._topics[topic], partition, offset, timestamp, key, value, given))

    def flush(self) -> None:
        """Apply the records that were added since the last flush."""
        with self.allowing(self._patience_s + _ONE_TRY_S), self._lock:
            records, self._records = self._records, []
            if not records:
                return
            started = time.monotonic()
            applied = self._retry(lambda: self._projection.apply(records))
            self._observe(applied, time.monotonic() - started)
            self.written(records)
            if self._more_to_prune or started - self._pruned > self._prune_interval_s:
                self._pruned = started
                self._prune(chunks=1 + len(records) // 1_000)

    def _prune(self, chunks: int) -> None:
        """Delete more rows than were just applied, and leave the rest to the next flush, because records wait."""
        for _ in range(chunks):
            self._more_to_prune = self._retry(lambda: self._projection.prune(time.time_ns() // 1_000_000))
            if not self._more_to_prune:
                return

    def restart(self) -> dict[tuple[Topic, int], int]:
        """Drop records that were not flushed, since they are read again; return the projection's offsets."""
        with self._lock:
            self._records = []
            return self._retry(self._projection.offsets)

    def _retry(self, work: Callable[[], Result]) -> Result:
        return retry_database(work, stopping=self._stopping, patience_s=self._patience_s)


class StartFromProjection:
    """Starts each assigned partition at the projection's offset, whatever the group has committed.

    A new, emptied or restored database therefore gets exactly the records that it lacks. It is a guard of
    `StreamApplication`: it sets the offsets of the partitions that it receives.

    Retention can have removed records that the projection has not read. On history and dead letters this is logged and
    reading goes on, because the projection keeps such records no longer than the topics, and because these topics end
    with transaction markers, which consumers skip. On the compacted status topic only a person removes records.

    Raises `ProjectionError` if a topic ends before the projection's offset, or if statuses were removed unread.
    """

    def __init__(self, sink: ProjectionSink, topics: Mapping[str, Topic], cluster: ClusterFacts) -> None:
        self._sink = sink
        self._topics = topics
        self._cluster = cluster

    def __call__(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:  # noqa: ARG002
        """Set the start offset of each of `partitions`."""
        reflected = self._sink.restart()
        places = [(each.topic, each.partition) for each in partitions]
        ends = self._cluster.log_ends(places, committed=False)
        firsts = self._cluster.log_starts(places)
        for each in partitions:
            place = (each.topic, each.partition)
            start = reflected.get((self._topics[each.topic], each.partition))
            each.offset = OFFSET_BEGINNING if start is None else start
            require_not_ahead(f"{each.topic}[{each.partition}]", start or 0, ends[place])
            if start is not None and start < firsts[place]:
                self._pass_gap(each, firsts[place])
        _logger.info("starts", offsets={f"{each.topic}[{each.partition}]": each.offset for each in partitions})

    def _pass_gap(self, each: TopicPartition, first: int) -> None:
        name = f"{each.topic}[{each.partition}]"
        if self._topics[each.topic] is Topic.STATUS:
            raise ProjectionError(
                f"Records at offsets {each.offset} to {first - 1} of {name} were removed before the projection had "
                "read them, though this topic is compacted: the statuses of batches are missing.",
                code=GAP_CODE,
                next_step="Delete the projection database, or point BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL at a new "
                "one: it is rebuilt from what the topic holds. The next event of a batch publishes its status again.",
            )
        _logger.warning("projection_gap", at=name, first=each.offset, last=first - 1, code=GAP_CODE)
        each.offset = first


def retry_database(work: Callable[[], Result], *, stopping: Event, patience_s: float = PATIENCE_S) -> Result:
    """Return the result of `work`, with retries while the database is unavailable. Raises `ProjectionError`."""
    deadline = time.monotonic() + patience_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return work()
        except SQLAlchemyError as error:
            if not _is_transient(error) or time.monotonic() > deadline or stopping.is_set():
                raise _unusable(error) from error
            _logger.warning("projection_waits", reason=_error_text(error), pause_s=pause)
        stopping.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _is_transient(error: SQLAlchemyError) -> bool:
    """Return whether a retry may help: not if a file cannot be opened, is no database, or lacks a table."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        # An error without a name comes from the driver, not from SQLite.
        return getattr(error.orig, "sqlite_errorname", "").startswith(_PASSING)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | PoolTimeout)


def _error_text(error: SQLAlchemyError) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error).strip()


def _unusable(error: SQLAlchemyError) -> ProjectionError:
    return ProjectionError(
        f"The projection database cannot be used: {_error_text(error)}.",
        next_step="Check that it runs, is reachable at BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL, is writable and "
        "has room; then start the projector again. Nothing is lost: it goes on at the offsets in the database.",
    )
