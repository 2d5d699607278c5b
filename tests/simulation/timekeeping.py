"""The timekeeper of the modelled log: it follows the committed status records and fires deadlines into the inbox.

It fires a deadline only when the router has committed past everything that was in its inputs at a time W, and the
deadline is due at W or before: an outcome that lies in Kafka must not be beaten by a deadline (the gate).
"""

from collections.abc import Callable

from schemas.internal.events import DeadlineReached, Origin
from schemas.internal.records import NEXT_DEADLINE_MS
from tests.simulation.modelled_log import Log

FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 60_000, 3_600_000
"""How long after a deadline was fired it is fired again, while its batch still shows it; doubles with each repeat."""
Clock = Callable[[], int]


class Timekeeper:
    """One process: an index of the next deadline of each batch, and what it knows of the router."""

    def __init__(self, number: int, log: Log, clock: Clock, broker_clock: Clock) -> None:
        self._number = number
        self._log = log
        self._clock = clock
        """This process's clock, Unix milliseconds; it can be wrong."""
        self._broker_clock = broker_clock
        self._index: dict[str, tuple[int, int, int]] = {}
        """Per batch: when its deadline is due, when it is fired next, and how long it then waits."""
        self._read = 0
        self._noted: tuple[int, int] | None = None
        """A time and the end of the inputs at that time, until the router has committed past it."""
        self._safe_ms = -1
        """Everything due up to here may be fired."""

    def lose_index(self) -> None:
        """Start again with nothing: the status topic is read from its beginning."""
        self._index = {}
        self._read = 0
        self._noted, self._safe_ms = None, -1

    def next_ms(self) -> int | None:
        """Return when it wants to fire next, by its own clock."""
        self._follow()
        return min((fire_at for _, fire_at, _ in self._index.values()), default=None)

    def tick(self) -> int:
        """Do what is to be done now; returns the number of deadlines fired."""
        self._follow()
        self._pass_gate()
        fired = 0
        for batch_id, (due, fire_at, pause) in list(self._index.items()):
            if due <= self._safe_ms and fire_at <= self._clock():
                self._fire(batch_id, due)
                self._index[batch_id] = (due, self._clock() + pause, min(2 * pause, LONGEST_PAUSE_MS))
                fired += 1
        return fired

    def _follow(self) -> None:
        while self._read < len(self._log.status):
            record = self._log.status[self._read]
            self._read += 1
            batch_id = record.key.decode()
            due = dict(record.headers).get(NEXT_DEADLINE_MS)
            if due is None:
                self._index.pop(batch_id, None)
            elif self._index.get(batch_id, (None,))[0] != int(due):
                self._index[batch_id] = (int(due), int(due), FIRST_PAUSE_MS)

    def _pass_gate(self) -> None:
        if self._noted is not None and self._log.router_committed >= self._noted[1]:
            self._safe_ms, self._noted = self._noted[0], None
        if self._noted is None:
            now, end = self._clock(), len(self._log.inputs)
            if self._log.router_committed >= end:
                self._safe_ms = now
            else:
                self._noted = (now, end)

    def _fire(self, batch_id: str, due_ms: int) -> None:
        origin = Origin(
            event_id=f"timekeeper-{self._number}-{batch_id}-{due_ms}-{self._clock()}",
            event_type="deadline_reached",
            topic="timekeeper",
            partition=self._number,
            offset=due_ms,
        )
        self._log.append(batch_id, DeadlineReached(due_ms=due_ms), origin, self._broker_clock())
