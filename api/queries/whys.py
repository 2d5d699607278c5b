"""Why batches are where they are: `state.why`, with the lags, usual times and definitions that this api knows."""

import asyncio
import time
from collections.abc import Callable, Mapping

from api.errors import Problem
from api.kafka_log.follower import KafkaLogFollower
from api.queries.lists import BatchLists
from api.queries.pipelines import PipelineCatalogue
from api.queries.system import SystemView
from runtime.kafka.partitioner import partition_of
from schemas.internal.status import StatusRecord
from state.why import Lag, Usual, Why, why

_EVERY_S = 30.0


class Whys:
    """Explains batches at once, from what is in memory. With `lags` given, `of` may be called from any thread.

    `run` keeps the usual times of the phases current; while the projection cannot be read, the last ones are used.
    """

    def __init__(
        self,
        lists: BatchLists,
        system: SystemView,
        pipelines: PipelineCatalogue,
        follower: KafkaLogFollower,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._lists = lists
        self._system = system
        self._pipelines = pipelines
        self._follower = follower
        self._clock_ms = clock_ms
        self._usual: dict[str, Usual] = {}

    def of(
        self,
        batch: StatusRecord,
        open_letters: int = 0,
        *,
        lags: tuple[Lag, ...] | None = None,
        now_ms: int | None = None,
    ) -> Why:
        """Return why a batch is where it is; `open_letters` is the number of its open dead letters.

        `lags` are those of the whole system, for callers that explain many batches at one moment. `now_ms` is another
        moment than the present, for a batch as it was.
        """
        return why(
            batch,
            self._clock_ms() if now_ms is None else now_ms,
            self._passed(batch.batch_id, self._system.lags() if lags is None else lags),
            usual=self._usual,
            open_letters=open_letters,
            definition=self._pipelines.of(batch.pipeline, batch.pipeline_version),
        )

    def usual(self) -> Mapping[str, Usual]:
        """Return how long the phases usually take, by name; phases without a sample are left out."""
        return self._usual

    async def run(self) -> None:
        """Read the usual times again and again, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_EVERY_S)

    async def refresh(self) -> None:
        """Read the usual times of all phases, as far as the projection can be read."""
        try:
            found = await self._lists.usuals()
        except Problem:
            return
        self._usual = {
            name: Usual(each.p50_ms, each.p95_ms, each.samples) for name, each in found.items() if each.samples
        }

    def _passed(self, batch_id: str, lags: tuple[Lag, ...]) -> list[Lag]:
        """Return the lags that the events of a batch meet: those of the router, and its own partition of the inbox.

        The inbox has as many partitions as the status topic, and both are keyed by batch.
        """
        partitions = self._follower.status_partitions
        if not partitions:
            return []
        own = partition_of(batch_id.encode(), partitions)
        return [lag for lag in lags if lag.where == "router" or lag.partition == own]
