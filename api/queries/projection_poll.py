"""Polls the offsets that the projection has reached, twice a second, outside the thread that reads the log."""

import asyncio
from collections.abc import Mapping

from api.kafka_log.ends import EndOffsets
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogPartition
from api.queries.projection import BoundedProjection
from runtime.logs import get_logger
from schemas.errors import OrchestratorError, ProjectionEmpty
from schemas.topics import Topic
from state.projection import require_not_ahead

_EVERY_S = 0.5
_ENDS_TIMEOUT_S = 5.0

_logger = get_logger("api.queries.projection_poll")


class ProjectionPoll:
    """Starts the follower when the projection's offsets are known or a read has timed out; then keeps them current.

    It runs on the worker's event loop.
    """

    def __init__(self, follower: KafkaLogFollower, projection: BoundedProjection, ends: EndOffsets) -> None:
        self._follower = follower
        self._projection = projection
        self._ends = ends
        self._checked = False

    async def run(self) -> None:
        """Poll until cancelled. An unexpected error ends the follower, so that health reports it."""
        try:
            await self._poll()
            self._follower.start()
            while True:
                await asyncio.sleep(_EVERY_S)
                await self._poll()
        except Exception as error:  # noqa: BLE001 - otherwise the task would end unnoticed, and the offsets stay old
            self._follower.give_up(error)

    async def refresh(self) -> None:
        """Read the offsets now for the follower. Raises `OrchestratorError` without a usable projection."""
        try:
            offsets = await self._projection.offsets()
        except ProjectionEmpty:
            self._follower.start_from = {}
            raise
        await self._require_not_ahead(offsets)
        self._follower.set_projection_offsets(offsets)

    async def _poll(self) -> None:
        try:
            await self.refresh()
        except OrchestratorError as error:
            if self._follower.projection_error is None:
                _logger.warning("projection_unavailable", error=str(error))
            self._follower.projection_error = str(error)
        else:
            self._follower.projection_error = None

    async def _require_not_ahead(self, offsets: Mapping[LogPartition, int]) -> None:
        """Run the check that a start without the projection's offsets had to skip."""
        if self._checked or not self._follower.started_without_projection:
            return
        for partition, offset in offsets.items():
            if partition.topic is Topic.STATUS:
                end = await self._ends.end(partition, _ENDS_TIMEOUT_S)
                try:
                    require_not_ahead(f"{partition.topic.value}[{partition.number}]", offset, end)
                except OrchestratorError as error:
                    self._follower.give_up(error)
                    raise
        self._checked = True
