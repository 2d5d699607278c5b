"""Which operations this worker runs: those that it started, and those whose worker is gone."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from msgspec.structs import replace

from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.record_producer import RecordLog
from api.operations.registry import OperationRegistry
from api.operations.runner import OperationRunner
from api.operations.selection import Selection
from api.operations.work import Worker
from runtime.logs import get_logger
from schemas.errors import OrchestratorError
from schemas.internal.operations import OperationRecord
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import operation_outgoing, operation_tombstones

LEASE_S = 15.0
"""Seconds without a sign of life from an operation's worker after which another one takes it up."""
_TURN_S = 1.0
_CLEAN_EVERY_S = 3_600.0
_AFTER_DEFECT_S = 10.0
_logger = get_logger("api.operations")


class OperationKeeper:
    """Runs operations on this worker. One worker has an operation at a time, as the log says.

    A worker that takes up an operation writes a claim with the next epoch, and goes on once it has read its own claim
    as the first of that epoch. Two workers that think so at once, after a long pause, do no harm: an item is decided
    once, because its request has the same id.
    """

    def __init__(
        self,
        follower: KafkaLogFollower,
        registry: OperationRegistry,
        log: RecordLog,
        selection: Selection,
        worker: Worker,
        *,
        retention_ms: int,
    ) -> None:
        self.name = str(uuid4())
        """Name of this worker in the records."""
        self._follower = follower
        self._registry = registry
        self._log = log
        self._selection = selection
        self._worker = worker
        self._retention_ms = retention_ms
        self._runners: dict[str, tuple[OperationRunner, asyncio.Task[None]]] = {}
        self._claimed: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        """When an operation whose runner failed by a defect may be begun again, monotonic."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn_now = asyncio.Event()
        self._cleaned_at = time.monotonic()

    @property
    def running(self) -> int:
        """Number of operations that this worker runs."""
        return len(self._runners)

    def nudge(self) -> None:
        """Look at the operations now: one was started here."""
        self._turn_now.set()

    async def run(self) -> None:
        """Take up operations until cancelled; then leave them to others."""
        try:
            while True:
                if self._follower.ready:
                    self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TURN_S):
                        await self._turn_now.wait()
                self._turn_now.clear()
        finally:
            await self._release()

    def restore(self, standing: OperationRecord) -> None:
        """Write the last record of this worker again, because compaction would keep a later one that is void."""
        if standing.runner == self.name and standing.state.ended:
            self._write(operation_outgoing(standing))

    def _turn(self) -> None:
        for record in self._registry.list():
            held = self._runners.get(record.operation_id)
            if held is not None and held[1].done():
                del self._runners[record.operation_id]
                held = None
            if record.state.ended or held is not None:
                continue
            if time.monotonic() < self._not_before.get(record.operation_id, 0.0):
                continue
            if record.runner == self.name:
                self._start(record)
            elif not record.runner or self._registry.silent_s(record.operation_id) > LEASE_S:
                self._claim(record)
        if time.monotonic() - self._cleaned_at > _CLEAN_EVERY_S:
            self._cleaned_at = time.monotonic()
            self._clean()

    def _start(self, record: OperationRecord) -> None:
        runner = OperationRunner(record, self._registry, self._log, self._selection, self._worker)
        task = asyncio.create_task(runner.run())
        task.add_done_callback(lambda done: self._ended(record.operation_id, done))
        self._runners[record.operation_id] = (runner, task)
        _logger.info("operation_begun", operation=record.operation_id, epoch=record.epoch, done=record.done)

    def _ended(self, operation_id: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _logger.error("operation_failed", operation=operation_id, error=repr(error))
            self._not_before[operation_id] = time.monotonic() + _AFTER_DEFECT_S

    def _claim(self, record: OperationRecord) -> None:
        epoch = record.epoch + 1
        if self._claimed.get(record.operation_id) == epoch:
            return  # written already; the log will say whose it is
        self._claimed[record.operation_id] = epoch
        _logger.info("operation_claimed", operation=record.operation_id, epoch=epoch)
        self._write(
            operation_outgoing(replace(record, epoch=epoch, runner=self.name)),
            failed=lambda: self._claimed.pop(record.operation_id, None),
        )

    def _clean(self) -> None:
        """Remove operations that ended before the retention of what they have done."""
        before = time.time_ns() // 1_000_000 - self._retention_ms
        for record in self._registry.list():
            if record.ended_ms is not None and record.ended_ms < before:
                for tombstone in operation_tombstones(record.operation_id):
                    self._write(tombstone)

    def _write(self, outgoing: OutgoingRecord, failed: Callable[[], object] = lambda: None) -> None:
        async def write() -> None:
            try:
                await self._log.append(outgoing)
            except OrchestratorError as error:
                _logger.warning("operation_not_written", operation=outgoing.key.decode(), error=str(error))
                failed()

        task = asyncio.create_task(write())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _release(self) -> None:
        for runner, task in self._runners.values():
            runner.close()
            task.cancel()
        await asyncio.gather(*(task for _, task in self._runners.values()), return_exceptions=True)
        await asyncio.gather(*(runner.release() for runner, _ in self._runners.values()), return_exceptions=True)
