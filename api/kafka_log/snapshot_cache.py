"""What the log says about batches that the projection does not say yet: the newest snapshot of each, in memory."""

from collections import deque
from collections.abc import Mapping

from msgspec import Struct


class Snapshot(Struct, frozen=True):
    """A status record as it was read; decoded when somebody asks for it."""

    partition: int
    """Partition of the status topic."""
    offset: int
    version: int
    value: bytes | None
    """None: the batch was purged."""


class SnapshotCache:
    """The snapshots that are newer than the projection, within a bound of memory. For one thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._snapshots: dict[str, Snapshot] = {}
        self._order: dict[int, deque[tuple[int, str]]] = {}
        self._projected: dict[int, int] = {}
        self._held_from: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._snapshots)

    @property
    def size(self) -> int:
        """Bytes of the snapshots held."""
        return self._bytes

    def fold(self, batch_id: str, snapshot: Snapshot) -> None:
        """Take in the next record of a status partition."""
        if snapshot.offset < self._held_from.get(snapshot.partition, 0):
            return
        before = self._snapshots.get(batch_id)
        if before is not None:
            if before.version > snapshot.version:
                return
            self._bytes -= _size(before)
        self._snapshots[batch_id] = snapshot
        self._bytes += _size(snapshot)
        self._order.setdefault(snapshot.partition, deque()).append((snapshot.offset, batch_id))
        while self._bytes > self._most_bytes:
            self._drop_oldest()

    def get(self, batch_id: str) -> Snapshot | None:
        """Return the newest snapshot, or None where the projection knows as much."""
        return self._snapshots.get(batch_id)

    def projected(self, offsets: Mapping[int, int]) -> None:
        """Let go of what the projection has passed; `offsets` are the next it will read, by partition."""
        self._projected = dict(offsets)
        for partition, offset in offsets.items():
            self._held_from[partition] = max(offset, self._held_from.get(partition, 0))
            order = self._order.get(partition)
            while order and order[0][0] < offset:
                self._forget(partition, *order.popleft())

    def complete(self, partition: int) -> bool:
        """Whether view and projection together know every batch of a partition.

        Not so after a drop for memory, or while a lost projection is being rebuilt: until it is where it was.
        """
        return self._held_from.get(partition, 0) <= self._projected.get(partition, 0)

    def _drop_oldest(self) -> None:
        partition = max(self._order, key=lambda number: len(self._order[number]))
        offset, batch_id = self._order[partition].popleft()
        if self._forget(partition, offset, batch_id):
            self._held_from[partition] = max(offset + 1, self._held_from.get(partition, 0))

    def _forget(self, partition: int, offset: int, batch_id: str) -> bool:
        snapshot = self._snapshots.get(batch_id)
        if snapshot is None or (snapshot.partition, snapshot.offset) != (partition, offset):
            return False
        del self._snapshots[batch_id]
        self._bytes -= _size(snapshot)
        return True


_OVERHEAD = 400
"""Bytes of the objects around a value."""


def _size(snapshot: Snapshot) -> int:
    return len(snapshot.value or b"") + _OVERHEAD
