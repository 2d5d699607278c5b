"""The modelled Kafka log: the inputs of the router, and the partitions of the inbox with their store and changelog.

A partition's outputs, changelog writes and offset form one transaction. A crash drops the open one, together with the
local store; the next owner restores the store from the changelog and goes on from the committed offset.
"""

from typing import NamedTuple
from zlib import crc32

from schemas.internal.events import Body, Event, InboxRecord, Origin
from schemas.internal.formats import INBOX
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import decode_inbox, inbox_outgoing


class Input(NamedTuple):
    """A record on a topic that the router reads, already in canonical form."""

    batch_id: str
    body: Body
    event_id: str
    time_ms: int
    """When it was appended, by the broker's clock."""


class Inbox(NamedTuple):
    """A record of the inbox."""

    key: bytes
    value: bytes
    time_ms: int


class Step(NamedTuple):
    """What one inbox record has led to, as it stands in a transaction."""

    offset: int
    records: list[OutgoingRecord]
    writes: dict[bytes, bytes | None]
    """The write to the store, if there was one: key and value, None for a deletion."""


class Transaction:
    """An open transaction: nothing of it is seen by readers of committed records."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.steps: list[Step] = []


class Partition:
    """A partition of the inbox, and what belongs to its owner."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.inbox: list[Inbox] = []
        self.committed = 0
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.store: dict[bytes, bytes] = {}
        self.transaction = Transaction(0)
        self.events: dict[int, Event] = {}
        """Events that were decoded for the checks, by offset."""

    @property
    def pending(self) -> int:
        """Number of inbox records that are not decided yet."""
        return len(self.inbox) - self.transaction.position

    def write(self, key: bytes, value: bytes | None) -> None:
        """Change the local store."""
        if value is None:
            self.store.pop(key, None)
        else:
            self.store[key] = value

    def commit(self) -> list[Step]:
        """Commit the open transaction, and return its steps."""
        steps, self.committed = self.transaction.steps, self.transaction.position
        for step in steps:
            self.changelog.extend(step.writes.items())
        self.transaction = Transaction(self.committed)
        return steps

    def abort(self) -> list[Step]:
        """Drop the open transaction and the local store; restore the store from the changelog."""
        steps = self.transaction.steps
        self.transaction = Transaction(self.committed)
        self.store = {}
        for key, value in self.changelog:
            self.write(key, value)
        return steps


class Log:
    """All logs of one history."""

    def __init__(self, partitions: int) -> None:
        self.partitions = [Partition(number) for number in range(partitions)]
        self.inputs: list[Input] = []
        self.routed = 0
        """The router's position."""
        self.router_committed = 0
        self.reached = 0
        """End of what the router has sent to the inbox at least once."""
        self.status: list[OutgoingRecord] = []
        """Committed status records, in the order of their commit."""

    def partition(self, batch_id: str) -> Partition:
        """Return the partition of a batch."""
        return self.partitions[crc32(batch_id.encode()) % len(self.partitions)]

    def send(self, batch_id: str, body: Body, event_id: str, time_ms: int) -> None:
        """Append an input."""
        self.inputs.append(Input(batch_id, body, event_id, time_ms))

    def append(self, batch_id: str, body: Body, origin: Origin, time_ms: int) -> None:
        """Append a record to the inbox."""
        record = InboxRecord(
            writer=INBOX.version, least_reader=INBOX.least_reader, batch_id=batch_id, origin=origin, body=body
        )
        sent = inbox_outgoing(record)
        self.append_raw(batch_id, sent.key, sent.value or b"", time_ms)

    def append_raw(self, batch_id: str, key: bytes, value: bytes, time_ms: int) -> None:
        """Append any bytes to the partition of a batch."""
        self.partition(batch_id).inbox.append(Inbox(key, value, time_ms))

    def route_next(self, time_ms: int) -> None:
        """Let the router send its next input to the inbox."""
        offset = self.routed
        item = self.inputs[offset]
        origin = Origin(
            event_id=item.event_id,
            event_type=item.body.__struct_config__.tag,  # type: ignore[arg-type]
            topic="inputs",
            partition=0,
            offset=offset,
        )
        self.routed += 1
        self.reached = max(self.reached, self.routed)
        self.append(item.batch_id, item.body, origin, time_ms)


def event_at(partition: Partition, offset: int) -> Event:
    """Return the event that an inbox record is for `decide`."""
    found = partition.events.get(offset)
    if found is None:
        stored = partition.inbox[offset]
        record = decode_inbox(stored.value)
        found = partition.events[offset] = Event(
            batch_id=record.batch_id,
            origin=record.origin,
            body=record.body,
            version=offset,
            time_ms=stored.time_ms,
            partition=partition.number,
            offset=offset,
        )
    return found
