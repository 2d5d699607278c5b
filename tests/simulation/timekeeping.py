"""The timekeeper of the modelled log: the product's own clock, gate and firing over an index in memory.

It fires a deadline only when the router has committed past everything that was in its inputs at a time W, and the
deadline is due at W or before: an outcome that lies in Kafka must not be beaten by a deadline.
"""

from collections.abc import Callable, Iterable, Sequence

from schemas.internal.events import DeadlineReached
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import NEXT_DEADLINE_MS, decode_inbox
from tests.simulation.checks import require
from tests.simulation.modelled_log import Log
from topology.timekeeper.clock import BrokerClock
from topology.timekeeper.firing import Firing
from topology.timekeeper.gate import Gate
from topology.timekeeper.index import ArmedDeadline, DeadlineIndex

Clock = Callable[[], int]
PAUSE_S = 60.0
_INPUTS = ("inputs", 0)


class MemoryIndex(DeadlineIndex):
    """What the timekeeper's index on disk holds, in a dict; of one partition."""

    def __init__(self) -> None:
        self.read = 0
        """Number of status records that it reflects."""
        self._entries: dict[bytes, ArmedDeadline] = {}

    def take(self, record: OutgoingRecord) -> None:
        """Take in the next status record. A deadline that stays the same keeps the time at which it is fired."""
        due = dict(record.headers).get(NEXT_DEADLINE_MS)
        known = self._entries.get(record.key)
        if due is None:
            self._entries.pop(record.key, None)
        elif known is None or known.due_ms != int(due):
            self._entries[record.key] = ArmedDeadline(0, record.key, int(due), int(due), self.read, 0)
        self.read += 1

    @property
    def next_ms(self) -> int | None:
        """When a deadline is fired next."""
        return min((entry.fire_at_ms for entry in self._entries.values()), default=None)

    def due(self, partition: int, until_ms: int, limit: int) -> list[ArmedDeadline]:
        del partition
        found = [entry for entry in self._entries.values() if entry.fire_at_ms <= until_ms]
        return sorted(found, key=lambda entry: (entry.fire_at_ms, entry.key))[:limit]

    def postpone(self, entries: Iterable[tuple[ArmedDeadline, int]]) -> None:
        for entry, again_ms in entries:
            self._entries[entry.key] = entry._replace(fire_at_ms=again_ms, fired=entry.fired + 1)


class Timekeeper:
    """One process of the timekeeper. `clock` is the true time in milliseconds, `broker_clock` the broker's."""

    def __init__(self, log: Log, clock: Clock, broker_clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._broker_clock = broker_clock
        self._index = MemoryIndex()
        self.restart()

    def restart(self) -> None:
        """Start anew with the same index: nothing is known of the broker's clock and of the router."""
        self._now = BrokerClock(lambda: self._clock() / 1_000)
        self._gate = Gate(lambda: self._clock() / 1_000)
        self._firing = Firing(self._index, self, topic="status", pause_s=PAUSE_S, early=self._fired_early)

    def lose_index(self) -> None:
        """Start anew with nothing: the status topic is read from its beginning."""
        self._index = MemoryIndex()
        self.restart()

    def next_ms(self) -> int | None:
        """Return when it fires next, by the broker's clock."""
        self._follow()
        return self._index.next_ms

    def tick(self) -> None:
        """Do what is to be done now."""
        self._follow()
        self._look_at_the_router()
        until_ms = self._gate.open_until_ms
        if until_ms is not None:
            self._firing.fire((0,), until_ms)

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        """Write to the inbox, as the product's writer does; returns the broker's append time of each record."""
        time_ms = self._broker_clock()
        for record in records:
            self._beats_no_event(record, time_ms)
            self._log.append_raw(record.key.decode(), record.key, record.value or b"", time_ms)
        return [time_ms] * len(records)

    def _follow(self) -> None:
        while self._index.read < len(self._log.status):
            self._index.take(self._log.status[self._index.read])

    def _look_at_the_router(self) -> None:
        """Do what the product's `GateWatch` does at each look. Its own reports tell it the broker's time."""
        self._now.observe(self._broker_clock())
        committed = {_INPUTS: self._log.router_committed}
        self._gate.committed(committed)
        time_ms = self._now.now_ms()
        if not self._gate.waits and time_ms is not None:
            self._gate.note(time_ms, {_INPUTS: len(self._log.inputs)})
            self._gate.committed(committed)

    def _fired_early(self, append_ms: int) -> None:
        """Do what the product's `TimekeeperApp` does."""
        self._now.set_back(append_ms)
        self._gate.close()

    def _beats_no_event(self, record: OutgoingRecord, time_ms: int) -> None:
        fired = decode_inbox(record.value or b"")
        assert isinstance(fired.body, DeadlineReached)
        due_ms = fired.body.due_ms
        if due_ms > time_ms:
            return  # it does not act
        for item in self._log.inputs[self._log.reached :]:
            late = item.batch_id == fired.batch_id and item.time_ms <= due_ms
            require(not late, "a deadline beats an event that lay in Kafka before", fired.body, item)
