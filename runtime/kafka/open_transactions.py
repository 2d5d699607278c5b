"""Open transactions that block read-committed consumers, detected in a consumer's statistics.

A read-committed consumer is given records up to the last stable offset, which is the first offset of the oldest open
transaction. A producer that leaves its transaction open hides all later records from such consumers, without any
error: the consumer has read everything that it may read. A last stable offset that does not move for long, below the
high watermark, is therefore a finding of its own.
"""

from collections.abc import Mapping
from typing import Any

from schemas.internal.processes import OpenTransaction

BOUND_S = 10.0
"""Seconds that a last stable offset may stand still. The product's own transactions end or time out sooner."""

Partition = tuple[str, int]


class OpenTransactions:
    """Remembers since when each partition's last stable offset has stood below its high watermark."""

    def __init__(self, bound_s: float = BOUND_S) -> None:
        self._bound_s = bound_s
        self._since: dict[Partition, tuple[int, float]] = {}

    def saw(self, partitions: Mapping[Partition, Mapping[str, Any]], now: float) -> None:
        """Take in librdkafka's statistics of the assigned partitions, as of `now` (seconds)."""
        found: dict[Partition, tuple[int, float]] = {}
        for at, state in partitions.items():
            if not _held_back(state):
                continue
            offset = int(state["ls_offset"])
            before = self._since.get(at)
            found[at] = before if before is not None and before[0] == offset else (offset, now)
        self._since = found

    def overdue(self, now: float) -> tuple[OpenTransaction, ...]:
        """Return the transactions that have been open for longer than the bound, as far as consumers can see."""
        return tuple(
            OpenTransaction(topic, number, offset, round(now - since, 1))
            for (topic, number), (offset, since) in sorted(self._since.items())
            if now - since > self._bound_s
        )


def _held_back(state: Mapping[str, Any]) -> bool:
    """Whether the consumer has read up to a last stable offset that is below the high watermark.

    Both offsets come with fetch responses. A partition that is not fetched now, because its queue is full or not empty,
    shows old offsets; they are fresh only while the consumer waits at the last stable offset.
    """
    stable = state.get("ls_offset", -1)
    waits: bool = state.get("fetchq_cnt", 0) == 0 and state.get("next_offset", -1) >= stable
    return 0 <= stable < state.get("hi_offset", -1) and waits
