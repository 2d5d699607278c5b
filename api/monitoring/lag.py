"""Lag in seconds: how long the oldest unread record has been waiting."""

import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_MOST_SIGHTINGS = 3_600

Place = TypeVar("Place", bound=Hashable)


class LagClock(Generic[Place]):
    """Remembers when each end offset of a partition was first seen, and computes a reader's lag from it.

    Offsets alone are not enough: a lag of a thousand records can be a second or a day.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sightings: dict[Place, deque[tuple[float, int]]] = {}

    def saw(self, place: Place, end: int) -> None:
        """Note that the end offset of `place` is now `end`."""
        sightings = self._sightings.setdefault(place, deque(maxlen=_MOST_SIGHTINGS))
        if not sightings or end > sightings[-1][1]:
            sightings.append((self._clock(), end))

    def behind(self, place: Place, offset: int) -> float:
        """Return the lag, in seconds, of a reader whose next offset is `offset`; 0 if it has read everything."""
        sightings = self._sightings.get(place)
        while sightings and sightings[0][1] <= offset and len(sightings) > 1:
            sightings.popleft()
        if not sightings or sightings[0][1] <= offset:
            return 0.0
        return self._clock() - sightings[0][0]
