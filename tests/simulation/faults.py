"""The faults of the machinery: crashes, moves, stops, clocks that jump, timekeepers that double or forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.peers import DAY_MS, HOUR_MS, MINUTE_MS, WRONG_ANSWERS

if TYPE_CHECKING:
    from tests.simulation.history import History

MACHINERY = (
    "orchestrator crash",
    "crash after the commit",
    "partition move",
    "router stop",
    "router repeats",
    "broker clock jump",
    "timekeeper restart",
    "timekeeper doubled",
    "timekeeper index lost",
    "unreadable inbox record",
    "key mismatch",
    "rule raises",
    "deadline never armed",
)
FAULTS = (*MACHINERY, *WRONG_ANSWERS)
"""All faults that a long run must have played."""


class Faults:
    """Plays a fault now and then."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._rng = history.rng
        self._plan = (
            (0.018, self._crash),
            (0.004, self._move),
            (0.004, self._stop_router),
            (0.006, self._repeat),
            (0.003, self._broker_clock),
            (0.003, self._restart),
            (0.002, self._double),
            (0.003, self._lose_index),
            (0.0007, self._unreadable),
            (0.0007, self._mismatched),
            (0.0015, self._poison),
            (0.004, self._deadline),
        )

    def perhaps(self) -> None:
        """Play what is due by chance."""
        if not self._history.heap:
            return  # it comes to rest now
        for chance, act in self._plan:
            if self._rng.random() < chance:
                act()

    def _note(self, name: str) -> None:
        self._history.tally.fault(name)

    def _crash(self) -> None:
        self._history.process.dies_at = self._rng.randrange(1, 25)

    def _move(self) -> None:
        self._note("partition move")
        partition = self._rng.choice(self._history.log.partitions)
        if self._rng.random() < 0.5:
            self._history.commit(partition)
        partition.abort()

    def _stop_router(self) -> None:
        history = self._history
        if history.router_up:
            self._note("router stop")
            history.router_up = False
            history.later(self._rng.choice((MINUTE_MS, HOUR_MS, DAY_MS)), self._start_router)

    def _start_router(self) -> None:
        history = self._history
        history.router_up = True
        # What was sent and not committed is sent again.
        history.log.routed = history.log.router_committed

    def _repeat(self) -> None:
        log = self._history.log
        if log.routed:
            self._note("router repeats")
            log.routed = max(0, log.router_committed - self._rng.randrange(1, 6))

    def _broker_clock(self) -> None:
        self._note("broker clock jump")
        self._history.broker_skew = self._skew()
        self._history.later(self._rng.randrange(DAY_MS), self._clock_right)

    def _restart(self) -> None:
        self._note("timekeeper restart")
        self._rng.choice(self._history.timekeepers).restart()

    def _clock_right(self) -> None:
        self._history.broker_skew = 0

    def _skew(self) -> int:
        return self._rng.choice((0, -MINUTE_MS, MINUTE_MS, -HOUR_MS, HOUR_MS, 5 * HOUR_MS))

    def _double(self) -> None:
        if len(self._history.timekeepers) == 1:
            self._note("timekeeper doubled")
            self._history.add_timekeeper()

    def _lose_index(self) -> None:
        self._note("timekeeper index lost")
        self._rng.choice(self._history.timekeepers).lose_index()

    def _unreadable(self) -> None:
        self._note("unreadable inbox record")
        self._history.unreadable(self._batch_id())

    def _mismatched(self) -> None:
        self._note("key mismatch")
        self._history.mismatched(self._batch_id())

    def _poison(self) -> None:
        self._note("rule raises")
        self._history.poison_armed = True

    def _deadline(self) -> None:
        self._note("deadline never armed")
        history = self._history
        due = history.broker_now() + self._rng.choice((-DAY_MS, -MINUTE_MS, 0, MINUTE_MS, DAY_MS))
        history.fire(self._batch_id(), due)

    def _batch_id(self) -> str:
        return self._rng.choice(list(self._history.registrations))
