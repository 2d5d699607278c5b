"""The clients that are interested in the same batches. Each event is encoded once and shared by all of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from api.live.client import Client
from api.live.events import PURGED, Changed, batch_event, projected_event
from api.live.facts import BatchFacts, Notice
from api.live.matching import Interest
from api.live.position import position_id

EVERY_S = 0.5
"""Seconds between two `batch` events of a stream: at most two a second."""
GATHER_S = 0.01
"""Seconds that the first change after a quiet time waits for others, which are often of the same transaction."""
MOST_NAMED = 500
"""Batches that one event names."""

Positions = Callable[[], Mapping[int, int]]


class Channel:
    """Gathers what has changed, and tells its clients at most twice a second; the last change is always told."""

    def __init__(self, interest: Interest, positions: Positions) -> None:
        self.interest = interest
        self.clients: set[Client] = set()
        self._positions = positions
        self._loop = asyncio.get_running_loop()
        self._gathered = Gathered()
        self._told_at = -EVERY_S
        self._timer: asyncio.TimerHandle | None = None
        self._unprojected: Mapping[int, int] | None = None

    def take(self, notice: Notice, before: BatchFacts | None) -> None:
        """Take in the next record of the status topic."""
        if not self._gathered.take(self.interest, notice, before) or self._timer is not None:
            return
        due = max(self._loop.time() + GATHER_S, self._told_at + EVERY_S)
        self._timer = self._loop.call_at(due, self._tell)

    def projected(self, offsets: Mapping[int, int]) -> None:
        """Tell the clients once the projection, which has reached `offsets`, shows what they were told."""
        told = self._unprojected
        if told is None or any(offsets.get(partition, 0) < offset for partition, offset in told.items()):
            return
        self._unprojected = None
        self.send(projected_event(position_id(self._positions())))

    def await_projection(self, offsets: Mapping[int, int]) -> None:
        """Tell the clients once the projection has reached these offsets, and those it was to reach before."""
        self._unprojected = {**(self._unprojected or {}), **offsets}

    def send(self, event: bytes) -> None:
        """Send an event to every client."""
        for client in tuple(self.clients):
            client.offer(event)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self._timer, self._told_at = None, self._loop.time()
        gathered, self._gathered = self._gathered, Gathered()
        self.await_projection(gathered.offsets)
        self.send(gathered.event(position_id(self._positions())))


class Gathered:
    """The newest state of each batch that has changed."""

    def __init__(self) -> None:
        self._changed: dict[str, Changed] = {}
        self._more = 0
        self._upto_ms = 0
        self.offsets: dict[int, int] = {}
        """Next offset of each partition behind what was gathered."""

    def take(self, interest: Interest, notice: Notice, before: BatchFacts | None) -> bool:
        """Take in a notice; return whether it is of interest."""
        match = interest.wants(notice, before)
        if match is None:
            return False
        self.offsets[notice.partition] = notice.offset + 1
        self._upto_ms = max(self._upto_ms, notice.time_ms)
        if notice.batch_id not in self._changed and len(self._changed) >= MOST_NAMED:
            self._more += 1
            return True
        status = PURGED if notice.facts is None else notice.facts.status.value
        self._changed[notice.batch_id] = Changed(notice.batch_id, notice.version, status, match.left)
        return True

    def event(self, position: str) -> bytes:
        """Return the event that tells all of it."""
        return batch_event(self._changed.values(), len(self._changed) + self._more, self._upto_ms, position)


class Told(NamedTuple):
    """One event for several notices."""

    encoded: bytes
    offsets: Mapping[int, int]
    """Next offset of each partition behind the notices."""


def event_of(interest: Interest, notices: Iterable[Notice], position: str) -> Told | None:
    """Return one event for all notices of interest, or None if there are none; what they were before is unknown."""
    gathered = Gathered()
    found = [notice for notice in notices if gathered.take(interest, notice, None)]
    return Told(gathered.event(position), gathered.offsets) if found else None
