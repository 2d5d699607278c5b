"""Which committed offsets are no longer valid, and what is said of each."""

import pytest

from schemas.errors import StateError
from schemas.internal.group_starts import KnownTopic
from topology.router.lost_offsets import LostOffset, PartitionState, lost_offsets, refuse_lost

KNOWN = {"t": KnownTopic(id="first", partitions=2)}


def state(committed: int | None, *, first: int = 10, end: int = 20, topic_id: str = "first") -> PartitionState:
    return PartitionState(committed=committed, first=first, end=end, topic_id=topic_id)


def lost(committed: int | None, *, partition: int = 0, topic_id: str = "first") -> LostOffset | None:
    found = lost_offsets({("t", partition): state(committed, topic_id=topic_id)}, KNOWN)
    return found[0] if found else None


@pytest.mark.parametrize("committed", [10, 15, 20])
def test_an_offset_within_the_topic_is_valid(committed: int) -> None:
    assert lost(committed) is None


@pytest.mark.parametrize(
    ("committed", "topic_id", "loss", "said"),
    [
        (None, "first", "expired", "its committed offset is gone; unread records lie within offsets 10 to 20."),
        (7, "first", "retention", "unread records at offsets 7 to 9 were removed."),
        (21, "first", "truncated", "the committed offset 21 lies after the end 20"),
        (15, "second", "replaced", "read up to offset 15, and what followed there is gone; offsets 10 to 20"),
        (None, "second", "replaced", "read up to an unknown offset"),
    ],
)
def test_every_loss_is_told_with_its_offsets(committed: int | None, topic_id: str, loss: str, said: str) -> None:
    found = lost(committed, topic_id=topic_id)
    assert found is not None
    assert found.loss == loss
    assert said in str(found)
    assert str(found).startswith("t[0]: ")


def test_partitions_and_topics_that_were_never_read_have_lost_nothing() -> None:
    assert lost(None, partition=2) is None
    assert lost_offsets({("new", 0): state(None)}, KNOWN) == []


@pytest.mark.parametrize(
    ("committed", "topic_id", "code"),
    [
        (None, "first", "ORC-ROUTER-OFFSETS-LOST"),
        (7, "first", "ORC-INPUT-LOST"),
        (21, "first", "ORC-INPUT-REPLACED"),
        (15, "second", "ORC-INPUT-REPLACED"),
    ],
)
def test_each_loss_has_a_code_and_a_next_step(committed: int | None, topic_id: str, code: str) -> None:
    with pytest.raises(StateError) as caught:
        refuse_lost(lost_offsets({("t", 0): state(committed, topic_id=topic_id)}, KNOWN))
    assert caught.value.code == code
    assert "bos inputs resume --from earliest" in caught.value.next_step


def test_all_partitions_are_named_at_once() -> None:
    found = lost_offsets({("t", 1): state(None), ("t", 0): state(7)}, KNOWN)
    with pytest.raises(StateError, match=r"(?s)t\[0\].*t\[1\]"):
        refuse_lost(found)


def test_nothing_lost_is_no_error() -> None:
    refuse_lost([])
