"""The most recent notices in memory, so that a client can go on where its last connection ended."""

from collections import deque
from collections.abc import Mapping

from api.live.facts import Notice


class Ring:
    """Up to `most` notices. It also knows from which offset on it holds every notice of a partition."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._order: deque[Notice] = deque()
        self._notices: dict[int, deque[Notice]] = {}
        self._held_from: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._order)

    def start_at(self, offsets: Mapping[int, int]) -> None:
        """Note that every notice from these offsets on will be added, by partition."""
        self._held_from = dict(offsets)

    def add(self, notice: Notice) -> None:
        """Take in the next notice of a partition; the oldest one makes room."""
        self._held_from.setdefault(notice.partition, notice.offset)
        self._order.append(notice)
        self._notices.setdefault(notice.partition, deque()).append(notice)
        while len(self._order) > self._most:
            oldest = self._order.popleft()
            self._notices[oldest.partition].popleft()
            self._held_from[oldest.partition] = oldest.offset + 1

    def since(self, offsets: Mapping[int, int]) -> list[Notice] | None:
        """Return the notices from these offsets on; None if the ring no longer has all of them.

        A partition that is not named was empty then.
        """
        found: list[Notice] = []
        for partition, held_from in self._held_from.items():
            wanted = offsets.get(partition, 0)
            if wanted < held_from:
                return None
            newer = []
            for notice in reversed(self._notices.get(partition, ())):
                if notice.offset < wanted:
                    break
                newer.append(notice)
            found += reversed(newer)
        return found
