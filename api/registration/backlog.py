"""Refusing registrations while decisions lag, so that clients wait instead of making the backlog longer."""

from collections.abc import Callable
from math import ceil

from api.errors import Problem
from schemas.errors import Code

_LONGEST_WAIT_S = 30


class BacklogGuard:
    """Refuses registrations while the oldest undecided request is older than `max_lag_s` seconds.

    `lag_s` returns that age, as the processes have reported it.
    """

    def __init__(self, lag_s: Callable[[], float], *, max_lag_s: float) -> None:
        self._lag_s = lag_s
        self._max_lag_s = max_lag_s

    def require_room(self) -> None:
        """Raise `Problem` 503 with Retry-After while decisions lag too much."""
        lag_s = self._lag_s()
        if lag_s <= self._max_lag_s:
            return
        wait_s = max(1, min(_LONGEST_WAIT_S, ceil(lag_s - self._max_lag_s)))
        raise Problem(
            503,
            Code.DECISIONS_BEHIND,
            f"Decisions are {lag_s:.0f} s behind, and {self._max_lag_s:.0f} s are allowed: nothing was written.",
            next_step=f"Send the registration again in {wait_s} s, with the same Idempotency-Key.",
            error="Decisions are behind",
            headers={"Retry-After": str(wait_s)},
            extra={"lag_seconds": round(lag_s, 1)},
        )
