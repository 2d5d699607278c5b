"""A token bucket for each principal: a burst of one second's requests, then the given rate."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_PRINCIPALS = 10_000


class RateLimit:
    """Limits requests of one worker to `per_second` for each name. Use it on one event loop only."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._burst = max(1.0, per_second)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Tokens left and when, the least recently used first."""

    def wait_s(self, name: str) -> float:
        """Count a request; return 0, or the seconds after which the next one is allowed."""
        now = self._clock()
        left, seen = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._rate)
        allowed = left >= 1
        self._buckets[name] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST_PRINCIPALS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate
