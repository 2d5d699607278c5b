"""Fires deadlines that are due: one inbox record for each, and again only after a pause, should nothing come of it.

`decide` acts on armed deadlines alone, so that repeats are without effect; the pause is there so that an orchestrator
that is behind is not sent the same deadline in a loop.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from schemas.ids import derived_id
from schemas.internal.events import DeadlineReached, InboxRecord, Origin
from schemas.internal.formats import INBOX
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import inbox_outgoing
from topology.timekeeper.index import ArmedDeadline, DeadlineIndex

EVENT_TYPE = "deadline_reached"
SOURCE = "timekeeper"
CHUNK = 10_000
"""Deadlines that are fired before the loop goes on: bounds the time between two looks at the status topic."""
EARLY_PAUSE_MS = 1_000
"""Milliseconds until a deadline is fired again that a broker with a slower clock has stamped with an earlier time."""
LONGEST_PAUSE_MS = 3_600_000


class InboxWriter(Protocol):
    """Writes to the inbox."""

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        """Write records, and return the broker's append time of each once all are acknowledged.

        Raises `BrokerError` if one is not.
        """


class Firing:
    """Fires what is due in the index.

    `pause_s` is the first pause; it doubles with each repeat. `observe` is called with the deadlines of each firing and
    the broker's append times of their records. `early` is called with an append time before its deadline: then the
    broker's clock is behind what this process takes it for.
    """

    def __init__(
        self,
        index: DeadlineIndex,
        writer: InboxWriter,
        *,
        topic: str,
        pause_s: float,
        observe: Callable[[Sequence[tuple[ArmedDeadline, int]]], None] = lambda _fired: None,
        early: Callable[[int], None] = lambda _time_ms: None,
    ) -> None:
        self._index = index
        self._writer = writer
        self._topic = topic
        self._pause_ms = max(1, round(pause_s * 1_000))
        self._observe = observe
        self._early = early

    def fire(self, partitions: Iterable[int], until_ms: int) -> int:
        """Fire deadlines of `partitions` up to `until_ms`, at most `CHUNK` of them; return how many."""
        due: list[ArmedDeadline] = []
        for partition in partitions:
            due += self._index.due(partition, until_ms, CHUNK - len(due))
            if len(due) == CHUNK:
                break
        if not due:
            return 0
        times = self._writer.write([deadline_record(entry, self._topic) for entry in due])
        fired = list(zip(due, times, strict=True))
        # Noted only now: a deadline that was not acknowledged is fired again.
        self._index.postpone((entry, time_ms + self._pause(entry, time_ms)) for entry, time_ms in fired)
        self._observe(fired)
        before_their_time = [time_ms for entry, time_ms in fired if time_ms < entry.due_ms]
        if before_their_time:
            self._early(max(before_their_time))
        return len(due)

    def _pause(self, entry: ArmedDeadline, time_ms: int) -> int:
        first = EARLY_PAUSE_MS if time_ms < entry.due_ms else self._pause_ms
        return min(first << min(entry.fired, 20), LONGEST_PAUSE_MS)


def deadline_record(entry: ArmedDeadline, topic: str) -> OutgoingRecord:
    """Return the inbox record for a deadline; `topic` is the real name of the status topic, which armed it.

    Its event id is derived from batch and deadline: repeats, and those of other timekeepers, have the same.
    """
    batch_id = entry.key.decode()
    return inbox_outgoing(
        InboxRecord(
            writer=INBOX.version,
            least_reader=INBOX.least_reader,
            batch_id=batch_id,
            origin=Origin(
                event_id=derived_id(f"deadline\n{batch_id}\n{entry.due_ms}"),
                event_type=EVENT_TYPE,
                topic=topic,
                partition=entry.partition,
                offset=entry.offset,
                source=SOURCE,
            ),
            body=DeadlineReached(due_ms=entry.due_ms),
        )
    )
