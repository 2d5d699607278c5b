"""Forgetting a process that was removed for good: a tombstone under its key on the processes topic."""

import asyncio
import time

from api.errors import Problem, kafka_unavailable
from api.kafka_log.record_producer import RecordLog
from api.monitoring.processes import Processes, ProcessView
from runtime.logs import get_logger
from schemas.errors import BrokerError, Code
from schemas.internal.events import Principal
from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import Topic

_VISIBLE_S = 2.0
_POLL_S = 0.05
_logger = get_logger("api.monitoring")


class ProcessForgetting:
    """Takes processes off the list. `log` takes the tombstones; `processes` is what this api has read of the topic."""

    def __init__(self, processes: Processes, log: RecordLog) -> None:
        self._processes = processes
        self._log = log

    async def forget(self, name: str, principal: Principal) -> None:
        """Forget a process by its kind and instance, as in `orchestrator/2`; return once this api no longer lists it.

        Raises `Problem`: 404 for a process that is not listed, 409 for one that reports, 503 where Kafka does not
        answer. Other apis may list the process for a moment more.
        """
        own = self._named(name)
        if not own:
            raise Problem(
                404,
                Code.PROCESS_NOT_FOUND,
                "No process of this kind and instance is listed.",
                next_step="Look at the names in `bos system status`.",
                error="Process not found",
            )
        if any(view.state == "live" for view in own):
            raise Problem(
                409,
                Code.PROCESS_LIVE,
                f"{name} reports, so it cannot be forgotten.",
                next_step="Stop it first; one that stops in order is not missing.",
                error="Process is live",
            )
        try:
            await self._log.append(OutgoingRecord(Topic.PROCESSES, name.encode(), None))
        except BrokerError as error:
            raise kafka_unavailable(
                f"Nothing is known to be written: {error.message}", next_step="Send the request again."
            ) from error
        _logger.info("process_forgotten", process_name=name, by=principal.subject)
        until = time.monotonic() + _VISIBLE_S
        while time.monotonic() < until:
            if not self._named(name):
                return
            await asyncio.sleep(_POLL_S)

    def _named(self, name: str) -> list[ProcessView]:
        return [view for view in self._processes.views() if view.record.name == name]
