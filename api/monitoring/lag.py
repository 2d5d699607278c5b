"""How long the oldest record that a reader has not read has been waiting, in seconds."""

import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_MOST_SIGHTINGS = 3_600

Place = TypeVar("Place", bound=Hashable)


class LagClock(Generic[Place]):
    """Remembers when each end of a partition was first seen, and reckons from that how long a reader is behind.

    Offsets alone say little: a thousand records behind can be a second or a day.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sightings: dict[Place, deque[tuple[float, int]]] = {}

    def saw(self, place: Place, end: int) -> None:
        """Note that `place` now ends before offset `end`."""
        sightings = self._sightings.setdefault(place, deque(maxlen=_MOST_SIGHTINGS))
        if not sightings or end > sightings[-1][1]:
            sightings.append((self._clock(), end))

    def behind(self, place: Place, offset: int) -> float:
        """Return how long a reader whose next offset is `offset` has had something to read; 0 where it has nothing."""
        sightings = self._sightings.get(place)
        while sightings and sightings[0][1] <= offset and len(sightings) > 1:
            sightings.popleft()
        if not sightings or sightings[0][1] <= offset:
            return 0.0
        return self._clock() - sightings[0][0]
