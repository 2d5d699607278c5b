"""The follower of the Kafka log: it gives waiting callers the newest decisions of this moment.

A thread reads (`api.kafka_log.reading_thread`); everything here happens on the worker's event loop, so nothing needs a
lock. Callers wait for the answer to a request, for a version of a batch, or until a partition is read up to an offset.
"""

import asyncio
from collections.abc import Callable, Mapping

from api.kafka_log.kafka_log import KafkaLog, LogPartition, LogRecord
from api.kafka_log.reading_thread import ReadingThread
from api.kafka_log.snapshot_cache import Snapshot, SnapshotCache
from api.kafka_log.waiters import Waiters, within
from api.monitoring.processes import Processes
from runtime.logs import get_logger
from schemas.internal.dead_letters import STATE
from schemas.internal.records import REQUEST_ID, VERSION
from schemas.topics import Topic

_logger = get_logger("api.kafka_log.follower")


class KafkaLogFollower:
    """Follows status, history, dead letters and the reports of the processes.

    `observe` is called on the event loop with each record, and `failed` once if the follower cannot go on.
    `ProjectionPoll` supplies the projection's offsets, and starts the follower once they are known or known to be
    missing.
    """

    def __init__(
        self,
        open_log: Callable[[], KafkaLog],
        snapshots: SnapshotCache,
        *,
        observe: Callable[[LogRecord], None] = lambda _: None,
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.snapshots = snapshots
        """Snapshots of batches that are newer than the projection."""
        self.processes = Processes()
        """The newest report of each process of the product."""
        self.positions: dict[LogPartition, int] = {}
        """Next offset of each partition; control records count as read."""
        self.readable: dict[LogPartition, int] = {}
        """Offset after the last record read of each partition; control records do not count."""
        self.projection: dict[LogPartition, int] = {}
        """Next offset of each partition that the projection will read, as last known."""
        self.projection_error: str | None = None
        """Why the last attempt to read the projection's offsets failed; None if it succeeded."""
        self.start_from: Mapping[LogPartition, int] | None = None
        """The projection's offsets at the start; None if they are unknown, so that reading starts near the ends."""
        self.began_at: dict[LogPartition, int] = {}
        """Offset of each partition from which on every record has been read or will be; none before that is needed."""
        self.started_without_projection = False
        """Whether reading started near the ends, so that only the projection has older batches."""
        self.error: Exception | None = None
        """What ended the follower; None while it runs."""
        self._observe = observe
        self._failed = failed
        self._ends: dict[LogPartition, int] | None = None
        self._answers: Waiters[str, LogRecord] = Waiters()
        self._changes: Waiters[str, int] = Waiters()
        self._reached: list[tuple[LogPartition, int, asyncio.Future[None]]] = []
        self._thread = ReadingThread(open_log, self, lambda: self.start_from)

    @property
    def waiting_for(self) -> str | None:
        """Why it cannot read now; None if it can."""
        return self._thread.waiting_for

    @property
    def started(self) -> bool:
        """Whether it has started to read."""
        return self._ends is not None

    @property
    def ready(self) -> bool:
        """Whether it has read everything about batches that existed when it started, and still reads."""
        if self._ends is None or self.error is not None:
            return False
        return self._has_read(lambda topic: topic is not Topic.PROCESSES)

    @property
    def processes_read(self) -> bool:
        """Whether it has read every report of a process that existed when it started."""
        return self._ends is not None and self._has_read(lambda topic: topic is Topic.PROCESSES)

    @property
    def status_partitions(self) -> int:
        """Number of partitions of the status topic."""
        return sum(partition.topic is Topic.STATUS for partition in self._ends or ())

    def start(self) -> None:
        """Begin to read. Call it on the event loop on which everything else is called."""
        self._thread.start()

    async def stop(self) -> None:
        """End the thread and disconnect; if the cluster does not answer, without waiting for it."""
        await self._thread.stop()

    def answer(self, request_id: str, wanted: Callable[[LogRecord], bool] | None = None) -> "asyncio.Future[LogRecord]":
        """Return a future of the history record or dead letter that answers a request; call it before writing it.

        With `wanted`, records under that id that it does not accept are passed over.
        """
        return self._answers.expect(request_id, wanted)

    def change(self, batch_id: str) -> "asyncio.Future[int]":
        """Return a future of the version of the batch's next snapshot that is read."""
        return self._changes.expect(batch_id)

    async def reached(self, partition: LogPartition, offset: int, timeout_s: float) -> bool:
        """Wait until everything before `offset` has been read; False if that takes more than `timeout_s` seconds."""
        if self.positions.get(partition, 0) >= offset:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reached.append((partition, offset, future))
        return await within(future, timeout_s)

    def set_projection_offsets(self, projection: Mapping[LogPartition, int]) -> None:
        """Take in the offsets that the projection reflects now."""
        self.projection = dict(projection)
        self.start_from = self.projection
        self.snapshots.projected({p.number: offset for p, offset in projection.items() if p.topic is Topic.STATUS})

    def begin(self, ends: dict[LogPartition, int], starts: dict[LogPartition, int] | None) -> None:
        """Take in the end offsets, and where reading starts if the projection's offsets are unknown."""
        self._ends = ends
        self.began_at = dict(self.start_from or {} if starts is None else starts)
        if starts is not None:
            self.started_without_projection = True
            self.snapshots.start_at({p.number: start for p, start in starts.items() if p.topic is Topic.STATUS})

    def take(self, records: list[LogRecord], positions: dict[LogPartition, int]) -> None:
        """Take in records, and wake the callers that wait for them."""
        for record in records:
            try:
                self._fold(record)
            except ValueError:
                where = f"{record.partition.topic.value}[{record.partition.number}]@{record.offset}"
                _logger.warning("foreign_record_passed_over", record=where)
        self.positions = positions
        self._wake_reached()

    def give_up(self, error: Exception) -> None:
        """Stop following the log because of `error`: going on would give wrong answers."""
        if self.error is not None:
            return
        self.error = error
        self._thread.end()
        _logger.error("follower_failed", error=str(error))
        self._failed(error)

    def _has_read(self, of: Callable[[Topic], bool]) -> bool:
        ends = {partition: end for partition, end in (self._ends or {}).items() if of(partition.topic)}
        return all(self.positions.get(partition, 0) >= end for partition, end in ends.items())

    def _fold(self, record: LogRecord) -> None:
        self.readable[record.partition] = record.offset + 1
        if record.partition.topic is Topic.PROCESSES:
            old = record.offset < (self._ends or {}).get(record.partition, 0)
            self.processes.fold(record.key, record.value, record.time_ms, old=old)
            return
        self._observe(record)
        if record.partition.topic is Topic.STATUS:
            batch_id = record.key.decode(errors="replace")
            version = int(record.headers.get(VERSION, b"-1"))
            self.snapshots.fold(batch_id, Snapshot(record.partition.number, record.offset, version, record.value))
            self._changes.wake(batch_id, version)
            return
        request_id = record.headers.get(REQUEST_ID)
        if request_id and STATE not in record.headers:  # what an operator did with a dead letter answers no request
            self._answers.wake(request_id.decode(errors="replace"), record)

    def _wake_reached(self) -> None:
        waiting = []
        for partition, offset, future in self._reached:
            if future.done():
                continue
            if self.positions.get(partition, 0) >= offset:
                future.set_result(None)
            else:
                waiting.append((partition, offset, future))
        self._reached = waiting
