"""Finding a batch: the newer snapshot of follower and projection; `None` only if it is certain that none exists."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from api.errors import Problem, not_ready
from api.kafka_log.ends import EndOffsets
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogPartition
from api.kafka_log.waiters import within
from api.queries.projection import BoundedProjection
from api.queries.projection_poll import ProjectionPoll
from runtime.kafka.partitioner import partition_of
from schemas.errors import OrchestratorError, RecordFormatError, UnreadableRecord
from schemas.inbound.models import MAX_BATCH_ID
from schemas.internal.records import decode_status
from schemas.internal.status import StatusRecord
from schemas.topics import Topic


class Batches:
    """Reads batches for the routes."""

    def __init__(
        self,
        follower: KafkaLogFollower,
        projection: BoundedProjection,
        poll: ProjectionPoll,
        ends: EndOffsets,
        *,
        timeout_s: float,
    ) -> None:
        self._follower = follower
        self._projection = projection
        self._poll = poll
        self._ends = ends
        self._timeout_s = timeout_s

    async def find(self, batch_id: str) -> StatusRecord | None:
        """Return the newest snapshot, or None if there is no such batch now.

        Raises `Problem` 503 if that is unknown: an answer is never older than one that was given before.
        """
        if not 0 < len(batch_id) <= MAX_BATCH_ID or "\x00" in batch_id:
            return None  # PostgreSQL refuses a NUL in a query; SQLite would return the batch of another id
        if not self._follower.ready:
            raise _unknown(self._follower.waiting_for or "the Kafka log is still being read")
        partition = self._partition(batch_id)
        found, newest = await self._known(batch_id)
        if newest or (found is not None and self._follower.snapshots.complete(partition.number)):
            return found
        await self._read_to_end(partition, self._timeout_s)
        found, newest = await self._known(batch_id)
        if not newest:
            await self._require_complete(partition)
        return found

    async def find_when(
        self, batch_id: str, wanted: Callable[[StatusRecord], bool], timeout_s: float
    ) -> StatusRecord | None:
        """Return the newest snapshot once it is `wanted`, or the newest one after `timeout_s` seconds."""
        until = time.monotonic() + timeout_s
        while True:
            change = self._follower.change(batch_id)  # before the read, so that no change is missed
            try:
                found = await self.find(batch_id)
                if found is not None and wanted(found):
                    return found
                if not await within(change, until - time.monotonic()):
                    return await self.find(batch_id)
            finally:
                change.cancel()

    async def read_version(self, batch_id: str, version: int, timeout_s: float) -> None:
        """Wait until this process has read a committed version of a batch, or the Kafka log up to its present end.

        The database is not read, so that it cannot delay an answer: a version that the log no longer holds is in the
        projection. Raises `Problem` 503 if the log cannot be read that far within `timeout_s` seconds.
        """
        reading = asyncio.create_task(self._read_to_end(self._partition(batch_id), timeout_s))
        reading.add_done_callback(_retrieve)
        try:
            while not reading.done():
                change = self._follower.change(batch_id)  # before the read, so that no change is missed
                try:
                    held = self._follower.snapshots.get(batch_id)
                    if held is not None and held.version >= version:
                        return
                    either: list[asyncio.Future[Any]] = [change, reading]
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
            await reading
        finally:
            reading.cancel()

    def held(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the Kafka log holds and the projection does not, or None; nothing is waited for."""
        snapshot = self._follower.snapshots.get(batch_id)
        if snapshot is None or snapshot.value is None:
            return None
        try:
            return decode_status(snapshot.value)
        except (RecordFormatError, UnreadableRecord):
            return None

    async def _known(self, batch_id: str) -> tuple[StatusRecord | None, bool]:
        """Return the newest known snapshot, and whether the Kafka log confirms it: the projection can be behind."""
        # The cache is read first: a snapshot that is dropped in between is in the projection by then.
        held = self._follower.snapshots.get(batch_id)
        away = self._follower.projection_error is not None  # the poll has just asked in vain: nothing is waited for
        try:
            row = None if away and held is not None and held.value is not None else await self._projection.get(batch_id)
        except OrchestratorError as error:
            if held is None or held.value is None:
                raise _unknown(error.message) from error
            row = None
        if held is None:
            return row, False
        if row is not None and row.version > held.version:
            return row, True
        if held.value is None:
            return None, True
        try:
            return decode_status(held.value), True
        except RecordFormatError as error:
            self._follower.give_up(error)
            raise _unknown(error.message) from error
        except UnreadableRecord:
            return row, False  # not written by the product; the projector skips it too

    async def _require_complete(self, partition: LogPartition) -> None:
        """Raise `Problem` if the projection may lack the batch or its newest version."""
        try:
            await self._poll.refresh()
        except OrchestratorError as error:
            raise _unknown(error.message) from error
        if not self._follower.snapshots.complete(partition.number):
            raise _unknown("the projection is far behind the log, or is being rebuilt")

    def _partition(self, batch_id: str) -> LogPartition:
        return LogPartition(Topic.STATUS, partition_of(batch_id.encode(), self._follower.status_partitions))

    async def _read_to_end(self, partition: LogPartition, timeout_s: float) -> None:
        try:
            end = await self._ends.end(partition, timeout_s)
        except OrchestratorError as error:
            raise _unknown(error.message) from error
        if not await self._follower.reached(partition, end, timeout_s):
            raise _unknown("the newest records of the Kafka log cannot be read yet")


def _retrieve(done: "asyncio.Task[None]") -> None:
    """Retrieve the exception of a task that may end when nobody waits for it any more, so that it is not logged."""
    if not done.cancelled():
        done.exception()


def _unknown(why: str) -> Problem:
    return not_ready(f"The service cannot determine now whether the batch exists: {why.rstrip('.')}.")
