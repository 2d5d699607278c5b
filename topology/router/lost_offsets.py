"""Which of the router's committed offsets are no longer valid, and which records are lost. Pure: no Kafka."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from runtime.kafka.admin import Partition
from schemas.errors import Code, StateError
from schemas.internal.group_starts import KnownTopic

Loss = Literal["expired", "retention", "replaced", "truncated"]

OFFSETS_LOST = Code.ROUTER_OFFSETS_LOST
INPUT_LOST = Code.INPUT_LOST
INPUT_REPLACED = Code.INPUT_REPLACED
_CODES: dict[Loss, str] = {
    "replaced": INPUT_REPLACED,
    "truncated": INPUT_REPLACED,
    "retention": INPUT_LOST,
    "expired": OFFSETS_LOST,
}
"""Error codes by kind of loss; if there are several kinds, the first one names the error."""


class PartitionState(Struct, frozen=True, kw_only=True):
    """One input partition: the group's committed offset, and the offsets of its records."""

    committed: int | None
    """Committed offset of the group; None if there is none."""
    first: int
    """Offset of the first record that retention has kept."""
    end: int
    """Offset after the last record."""
    topic_id: str
    """Id of the topic, which is a new one after the topic was created again."""


class LostOffset(Struct, frozen=True, kw_only=True):
    """A partition on which the router cannot resume at its committed offset."""

    topic: str
    partition: int
    loss: Loss
    what: str
    """A sentence: which offsets are lost."""

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]: {self.what}"


def lost_offsets(partitions: Mapping[Partition, PartitionState], known: Mapping[str, KnownTopic]) -> list[LostOffset]:
    """Return the partitions whose offsets are no longer valid; `known` are the topics that the group has read."""
    found = (_lost(at, state, known.get(at[0])) for at, state in sorted(partitions.items()))
    return [one for one in found if one is not None]


def _lost(at: Partition, state: PartitionState, known: KnownTopic | None) -> LostOffset | None:
    topic, partition = at
    committed, first, end = state.committed, state.first, state.end
    left = f"offsets {first} to {end}"
    if known is not None and known.id != state.topic_id:
        read = "an unknown offset" if committed is None else f"offset {committed}"
        what = (
            f"the topic was deleted and created again. The old one was read up to {read}, and what followed there is "
            f"gone; {left} of the new one are unread."
        )
        return LostOffset(topic=topic, partition=partition, loss="replaced", what=what)
    if committed is None:
        if known is None or partition >= known.partitions:
            return None  # never read: it begins at its first record
        what = f"its committed offset is gone; unread records lie within {left}."
        return LostOffset(topic=topic, partition=partition, loss="expired", what=what)
    if committed < first:
        what = f"unread records at offsets {committed} to {first - 1} were removed."
        return LostOffset(topic=topic, partition=partition, loss="retention", what=what)
    if committed > end:
        what = (
            f"the committed offset {committed} lies after the end {end}: the topic was deleted and created again, or "
            f"has lost records; {left} are unread."
        )
        return LostOffset(topic=topic, partition=partition, loss="truncated", what=what)
    return None


def refuse_lost(lost: Sequence[LostOffset]) -> None:
    """Raise `StateError` if offsets are no longer valid; it names every partition."""
    if not lost:
        return
    code = next(code for loss, code in _CODES.items() if any(one.loss == loss for one in lost))
    raise StateError(
        "The router cannot resume at its committed offsets:\n" + "\n".join(f"  - {one}" for one in lost) + "\n",
        code=code,
        next_step="Stop all routers and decide where those partitions go on: `bos inputs resume --from earliest` "
        "reads all that is left (repeats are absorbed), `--from latest` or `--from TIME` passes over what lies before. "
        "Have lost events sent again by their senders.",
    )
