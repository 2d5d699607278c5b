"""The recorded events of batches, kept for a while: whoever looks at one version looks at others next."""

from collections import OrderedDict
from typing import NamedTuple

from api.errors import batch_not_found
from api.queries.batches import Batches
from api.replay.states import BatchStates
from schemas.internal.status import StatusRecord
from state.batch import Batch
from state.replay import RecordedEvent

_MOST_LIVES = 32
_MOST_WEIGHT = 100_000
"""Events times expected essays of all lives that are kept: about 50 MB at most."""


class Life(NamedTuple):
    """The recorded events of a batch since its registration, as far as they had been decided when they were read."""

    registered_ms: int
    events: tuple[RecordedEvent, ...]
    weight: int

    @property
    def first(self) -> int:
        """Version that the registration gave the batch."""
        return self.events[0].position

    @property
    def last(self) -> int:
        """Position of the last event."""
        return self.events[-1].position


class Lives:
    """Reads the events of batches, and keeps those that were asked for last. Use it on the event loop only."""

    def __init__(self, batches: Batches, states: BatchStates) -> None:
        self._batches = batches
        self._states = states
        self._kept: OrderedDict[str, Life] = OrderedDict()

    async def up_to(self, batch_id: str, position: int) -> Life:
        """Return a life that has all events up to `position`, or all events that there are now.

        Raises `Problem` 404 where there is no such batch, and 410 or 503 where its records cannot be read.
        """
        status = await self._status(batch_id)
        kept = self._kept.get(batch_id)
        if kept is not None and kept.registered_ms == status.registered_ms and position < kept.last:
            self._kept.move_to_end(batch_id)
            return kept
        return await self._read(status)

    async def whole(self, batch_id: str) -> Life:
        """Return a life with all events that there are now. Raises as `up_to`."""
        return await self._read(await self._status(batch_id))

    async def present(self, batch_id: str) -> Batch:
        """Return the batch as it is now. Raises as `up_to`, and 500 where it is not what was published."""
        batch = await self._states.state_of(batch_id)
        if batch is None:
            raise batch_not_found(batch_id)
        return batch

    async def _status(self, batch_id: str) -> StatusRecord:
        status = await self._batches.find(batch_id)
        if status is None:
            raise batch_not_found(batch_id)
        return status

    async def _read(self, status: StatusRecord) -> Life:
        events = await self._states.events_of(status.batch_id)
        if events is None:
            raise batch_not_found(status.batch_id)
        life = Life(events[0].history.time_ms, events, len(events) * max(1, status.counts.expected))
        self._keep(status.batch_id, life)
        return life

    def _keep(self, batch_id: str, life: Life) -> None:
        self._kept.pop(batch_id, None)
        self._kept[batch_id] = life
        while len(self._kept) > _MOST_LIVES or sum(each.weight for each in self._kept.values()) > _MOST_WEIGHT:
            self._kept.popitem(last=False)
