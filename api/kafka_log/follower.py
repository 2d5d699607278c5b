"""The tail of the log: what has just been decided, for whoever waits for it.

A thread reads; everything else happens on the event loop of the worker, so that nothing here needs a lock. Callers
wait for the answer to a request, for a version of a batch, or for a partition to have been read up to an offset.
The thread asks the cluster and nothing else: a database that hangs must not delay an answer.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import BoundedSemaphore, Event, Thread

from api.kafka_log.consumer import KafkaLog, LogPartition, LogRecord
from api.kafka_log.snapshot_cache import Snapshot, SnapshotCache
from api.kafka_log.waiters import Waiters, within
from api.monitoring.processes import Processes
from runtime.logs import get_logger
from schemas.errors import BrokerError, LivenessError, OrchestratorError
from schemas.internal.records import REQUEST_ID, VERSION
from schemas.topics import Topic

_POLL_S = 0.1
_CHECK_EVERY_S = 30.0
_STOP_S = 1.0
_RETRY_START_S = 2.0
_RETRY_RESUME_S = 0.5
_BATCHES_UNDER_WAY = 4

_log = get_logger("api.kafka_log.follower")


class KafkaLogFollower:
    """Follows status, history, dead letters and the reports of the processes.

    `observe` is shown each record on the event loop, `failed` is called there once if the tail cannot go on. Somebody
    else (`ProjectionPoll`) tells where the projection is, and starts this once that is known or cannot be known.
    """

    def __init__(
        self,
        log: Callable[[], KafkaLog],
        snapshots: SnapshotCache,
        *,
        observe: Callable[[LogRecord], None] = lambda _: None,
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.snapshots = snapshots
        self.processes = Processes()
        """What has been heard of each process of the product."""
        self.positions: dict[LogPartition, int] = {}
        """Next offsets; control records have been passed."""
        self.readable: dict[LogPartition, int] = {}
        """The offset after the last record read, which control records do not raise."""
        self.projection: dict[LogPartition, int] = {}
        self.projection_error: str | None = None
        """Why the projection's offsets cannot be read, as last tried."""
        self.start_from: Mapping[LogPartition, int] | None = None
        """Where the projection is, for the start. None: it has not answered, so reading starts near the ends."""
        self.started_without_projection = False
        """Whether reading started near the ends, so that only the projection knows what came before."""
        self.waiting_for: str | None = None
        """Why it cannot start yet."""
        self.error: Exception | None = None
        self._make_log = log
        self._observe = observe
        self._failed = failed
        self._ends: dict[LogPartition, int] | None = None
        self._read_to: dict[LogPartition, int] = {}
        self._answers: Waiters[str, LogRecord] = Waiters()
        self._changes: Waiters[str, int] = Waiters()
        self._reached: list[tuple[LogPartition, int, asyncio.Future[None]]] = []
        self._stopping = Event()
        self._room = BoundedSemaphore(_BATCHES_UNDER_WAY)
        self._thread = Thread(target=self._run, name="kafka-log-follower", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def started(self) -> bool:
        """Whether it reads."""
        return self._ends is not None

    @property
    def ready(self) -> bool:
        """Whether it has read everything about batches that was there when it started, and still reads."""
        if self._ends is None or self.error is not None:
            return False
        return self._has_read(lambda topic: topic is not Topic.PROCESSES)

    @property
    def processes_read(self) -> bool:
        """Whether it has read every report of a process that was there when it started."""
        return self._ends is not None and self._has_read(lambda topic: topic is Topic.PROCESSES)

    @property
    def status_partitions(self) -> int:
        """Number of partitions of the status topic."""
        return sum(partition.topic is Topic.STATUS for partition in self._ends or ())

    def start(self) -> None:
        """Begin to read. Call it on the event loop that everything else is called on."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """End the thread and leave the cluster; where that does not answer, without waiting for it."""
        self._stopping.set()
        with suppress(ValueError):
            self._room.release()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, _STOP_S)

    def answer(self, request_id: str) -> "asyncio.Future[LogRecord]":
        """Return a future of the history record or dead letter that answers a request; ask before writing it."""
        return self._answers.expect(request_id)

    def change(self, batch_id: str) -> "asyncio.Future[int]":
        """Return a future of the version of the next snapshot of the batch that is read."""
        return self._changes.expect(batch_id)

    async def reached(self, partition: LogPartition, offset: int, timeout_s: float) -> bool:
        """Wait until everything before `offset` has been read; False where it isn't in time."""
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

    def give_up(self, error: Exception) -> None:
        """Follow the log no more, and say why: going on would answer wrongly."""
        if self.error is not None:
            return
        self.error = error
        self._stopping.set()
        _log.error("follower_failed", error=str(error))
        self._failed(error)

    def _has_read(self, of: Callable[[Topic], bool]) -> bool:
        ends = {partition: end for partition, end in (self._ends or {}).items() if of(partition.topic)}
        return all(self.positions.get(partition, 0) >= end for partition, end in ends.items())

    # ------------------------------------------------------------------------------------------- on the event loop

    def _take(self, records: list[LogRecord], positions: dict[LogPartition, int]) -> None:
        try:
            for record in records:
                try:
                    self._fold(record)
                except ValueError:
                    where = f"{record.partition.topic.value}[{record.partition.number}]@{record.offset}"
                    _log.warning("foreign_record_passed_over", record=where)
            self.positions = positions
            self._wake_reached()
        finally:
            with suppress(ValueError):
                self._room.release()

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
        if request_id:
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

    def _begin(self, ends: dict[LogPartition, int], starts: dict[LogPartition, int] | None) -> None:
        """Take in the ends, and where reading starts if that is not where the projection is."""
        self._ends = ends
        if starts is not None:
            self.started_without_projection = True
            self.snapshots.start_at({p.number: start for p, start in starts.items() if p.topic is Topic.STATUS})

    # ---------------------------------------------------------------------------------------------- in the thread

    def _run(self) -> None:
        assert self._loop is not None
        try:
            log = self._started_log()
            while log is not None:
                try:
                    self._follow(log)
                except LivenessError as error:
                    self._waits(error)
                finally:
                    self._close(log)
                log = self._resumed_log()
        except Exception as error:  # noqa: BLE001 - whatever ends the tail must be seen by health, not by a thread
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self.give_up, error)

    def _started_log(self) -> KafkaLog | None:
        """Start, and go on trying while the cluster or its topics are not there yet."""
        assert self._loop is not None
        while not self._stopping.is_set():
            log = self._make_log()
            try:
                offsets = self.start_from
                ends = log.start(offsets)
            except OrchestratorError as error:
                self._close(log)
                self._waits(error)
                self._stopping.wait(_RETRY_START_S)
                continue
            self.waiting_for = None
            starts = None
            if offsets is None:
                starts = log.positions()
                _log.warning("started_near_the_ends", reason="the projection has not said where it is")
            self._loop.call_soon_threadsafe(self._begin, ends, starts)
            return log
        return None

    def _resumed_log(self) -> KafkaLog | None:
        """Go on with another client where the last one got to: whoever waits for a record gets it from there."""
        while not self._stopping.is_set():
            log = self._make_log()
            try:
                log.resume(self._read_to)
            except OrchestratorError as error:
                self._close(log)
                self._waits(error)
                self._stopping.wait(_RETRY_RESUME_S)
                continue
            self.waiting_for = None
            _log.info("follower_resumed")
            return log
        return None

    def _close(self, log: KafkaLog) -> None:
        """Close a log; where reading goes on, without waiting for it: a client without a broker may take its time."""
        if self._stopping.is_set():
            log.close()
        else:
            Thread(target=log.close, name="kafka-log-close", daemon=True).start()

    def _waits(self, error: OrchestratorError) -> None:
        self.waiting_for = str(error)
        _log.warning("follower_waiting", error=str(error))

    def _follow(self, log: KafkaLog) -> None:
        assert self._loop is not None
        before: dict[LogPartition, int] = {}
        self._read_to = log.positions()
        next_check = time.monotonic() + _CHECK_EVERY_S
        while not self._stopping.is_set():
            records = log.read(_POLL_S)
            positions = log.positions()
            now = time.monotonic()
            if now >= next_check:
                self._check(log)
                next_check = now + _CHECK_EVERY_S
            if not records and positions == before:
                continue
            before = self._read_to = positions
            self._room.acquire()
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._take, records, positions)

    @staticmethod
    def _check(log: KafkaLog) -> None:
        try:
            log.check()
        except BrokerError as error:  # no answer is no change: the client comes back to the cluster by itself
            _log.warning("topics_not_checked", error=str(error))
