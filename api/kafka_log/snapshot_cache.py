"""The newest snapshot of each batch that the projection has not applied yet, in memory."""

from collections import OrderedDict
from collections.abc import Mapping

from msgspec import Struct

_OVERHEAD = 450
"""Measured bytes of the objects around a value and a batch_id."""


class Snapshot(Struct, frozen=True):
    """A status record as it was read; it is decoded on demand."""

    partition: int
    """Partition of the status topic."""
    offset: int
    version: int
    value: bytes | None
    """The status record's value; None if the batch was purged."""


class SnapshotCache:
    """Snapshots that are newer than the projection, up to `most_bytes` of memory. Not thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._snapshots: dict[str, Snapshot] = {}
        self._order: dict[int, OrderedDict[str, None]] = {}
        """Batches of each partition, in the order of the offsets of their snapshots."""
        self._projected: dict[int, int] = {}
        self._held_from: dict[int, int] = {}
        self._projection_known = True

    def __len__(self) -> int:
        return len(self._snapshots)

    @property
    def size(self) -> int:
        """Bytes that the snapshots take."""
        return self._bytes

    def start_at(self, offsets: Mapping[int, int]) -> None:
        """Note that reading starts at these offsets, by partition, while the projection's offsets are unknown."""
        self._projection_known = False
        self._held_from = dict(offsets)

    def fold(self, batch_id: str, snapshot: Snapshot) -> None:
        """Take in the next record of a status partition."""
        if snapshot.offset < self._held_from.get(snapshot.partition, 0):
            return
        before = self._snapshots.get(batch_id)
        if before is not None:
            if before.version > snapshot.version:
                return
            self._forget(batch_id, before)
        self._snapshots[batch_id] = snapshot
        self._order.setdefault(snapshot.partition, OrderedDict())[batch_id] = None
        self._bytes += _size(batch_id, snapshot)
        while self._bytes > self._most_bytes:
            self._drop_oldest()

    def get(self, batch_id: str) -> Snapshot | None:
        """Return the newest snapshot, or None if the projection has it or there is none."""
        return self._snapshots.get(batch_id)

    def projected(self, offsets: Mapping[int, int]) -> None:
        """Drop the snapshots that the projection has applied; `offsets` are the next it will read, by partition."""
        self._projection_known = True
        self._projected = dict(offsets)
        for partition, offset in offsets.items():
            self._held_from[partition] = max(offset, self._held_from.get(partition, 0))
            order = self._order.get(partition)
            while order and (oldest := self._snapshots[next(iter(order))]).offset < offset:
                self._forget(next(iter(order)), oldest)

    def complete(self, partition: int) -> bool:
        """Whether cache and projection together hold every batch of a partition.

        They do not after snapshots were dropped for lack of memory, while a lost projection is rebuilt, or if reading
        started while the projection's offsets were unknown; they do again when the projection has caught up.
        """
        return self._projection_known and self._held_from.get(partition, 0) <= self._projected.get(partition, 0)

    def _drop_oldest(self) -> None:
        partition = max(self._order, key=lambda number: len(self._order[number]))
        batch_id = next(iter(self._order[partition]))
        snapshot = self._snapshots[batch_id]
        self._forget(batch_id, snapshot)
        self._held_from[partition] = max(snapshot.offset + 1, self._held_from.get(partition, 0))

    def _forget(self, batch_id: str, snapshot: Snapshot) -> None:
        del self._snapshots[batch_id]
        del self._order[snapshot.partition][batch_id]
        self._bytes -= _size(batch_id, snapshot)


def _size(batch_id: str, snapshot: Snapshot) -> int:
    return len(snapshot.value or b"") + len(batch_id) * 4 + _OVERHEAD
