import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from runtime.kafka.admin import ClusterFacts, Partition
from schemas.topics import DAY_MS
from topology.timekeeper.follower import StatusFollower, arming_of, unusable
from topology.timekeeper.index import Arming, DeadlineIndex, Position

DUE = ("next_deadline_ms", b"1700000000000")


def test_the_header_says_when() -> None:
    assert arming_of(b"batch", b"{}", [("version", b"5"), DUE], 7) == Arming(b"batch", 1_700_000_000_000, 7)


@pytest.mark.parametrize(
    ("value", "headers"), [(b"{}", [("version", b"5")]), (None, [("version", b"5")]), (None, [DUE])]
)
def test_without_it_and_for_a_tombstone_no_clock_runs(
    value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    assert arming_of(b"batch", value, headers, 7) == Arming(b"batch", None, 7)


@pytest.mark.parametrize(
    ("key", "due", "why"),
    [
        (None, b"1", "no key"),
        (b"", b"1", "no key"),
        (b"\xff", b"1", "codec"),
        (b"batch", b"soon", "invalid literal"),
        (b"batch", b"-1", "no time"),
        (b"batch", b"9" * 30, "no time"),
    ],
)
def test_a_record_that_cannot_be_used_is_an_error(key: bytes | None, due: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        arming_of(key, b"{}", [("next_deadline_ms", due)], 7)


@pytest.mark.parametrize(
    ("position", "usable"),
    [
        (None, False),
        (Position(10, 0, 1), True),
        (Position(5, 0, 1), True),
        (Position(20, 0, 1), True),
        (Position(4, 0, 1), False),
        (Position(21, 0, 1), False),
        (Position(10, -16 * DAY_MS, 1), False),
    ],
)
def test_an_index_that_no_longer_fits_the_topic_is_read_again(position: Position | None, *, usable: bool) -> None:
    assert (unusable(position, 5, 20, 0) is None) == usable


class Cluster:
    """A status topic with these ends; written for these tests."""

    def __init__(self, ends: dict[int, int]) -> None:
        self.ends = ends

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, 0)

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        assert not committed, "statuses in an open transaction count"
        return {at: self.ends[at[1]] for at in partitions}


class Listener:
    def on_statistics(self, statistics: str) -> None: ...

    def read(self, partition: int, records: int, time_ms: int) -> None: ...

    def unreadable(self, what: str) -> None: ...

    def allow_assignment(self) -> AbstractContextManager[None]:
        return nullcontext()


class Assigning:
    """Takes what the follower assigns."""

    def __init__(self) -> None:
        self.offsets: dict[int, int] = {}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.offsets = {at.partition: at.offset for at in partitions}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[DeadlineIndex]:
    opened = DeadlineIndex(tmp_path / "index")
    yield opened
    opened.close()


def assigned(index: DeadlineIndex, ends: dict[int, int]) -> tuple[StatusFollower, dict[int, int]]:
    """Return a follower that was assigned partitions with these ends, and where it begins to read each."""
    follower = StatusFollower(
        {"bootstrap.servers": "127.0.0.1:1"},
        topic="status",
        group="group",
        member="group-0",
        index=index,
        cluster=cast(ClusterFacts, Cluster(ends)),
        listener=Listener(),
    )
    consumer = Assigning()
    follower._assigned(consumer, [TopicPartition("status", number) for number in ends])
    follower.consumer.close()
    return follower, consumer.offsets


def test_a_partition_may_be_fired_once_it_is_read_to_its_end_as_of_the_assignment(index: DeadlineIndex) -> None:
    now_ms = time.time_ns() // 1_000_000
    index.apply(0, [Arming(b"a", 10, 4)], 5, now_ms)
    index.apply(1, [Arming(b"b", 10, 4)], 5, now_ms)
    follower, offsets = assigned(index, {0: 5, 1: 6, 2: 0, 3: 1})
    assert offsets == {0: 5, 1: 5, 2: OFFSET_BEGINNING, 3: OFFSET_BEGINNING}
    assert follower.current == [0, 2]


def test_an_index_that_is_ahead_of_its_topic_is_forgotten(index: DeadlineIndex) -> None:
    index.apply(0, [Arming(b"a", 10, 4)], 5, time.time_ns() // 1_000_000)
    follower, offsets = assigned(index, {0: 3})
    assert offsets == {0: OFFSET_BEGINNING}
    assert follower.current == []
    assert index.due(0, 10**15, 10) == []


def test_a_partition_that_was_revoked_is_fired_no_more(index: DeadlineIndex) -> None:
    follower, _ = assigned(index, {0: 0, 1: 0})
    follower._revoked(None, [TopicPartition("status", 0)])
    assert (follower.assigned, follower.current) == ([1], [1])
