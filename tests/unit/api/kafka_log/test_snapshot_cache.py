"""The snapshots that are newer than the projection."""

import tracemalloc

import pytest

from api.kafka_log.snapshot_cache import Snapshot, SnapshotCache

LARGE = b"x" * 10_000


def snapshot(offset: int, version: int, value: bytes | None = b"s", partition: int = 0) -> Snapshot:
    return Snapshot(partition, offset, version, value)


def test_it_holds_the_newest_snapshot() -> None:
    cache = SnapshotCache(1_000_000)
    cache.fold("b", snapshot(0, 10))
    cache.fold("b", snapshot(2, 12))
    assert cache.get("b") == snapshot(2, 12)
    assert len(cache) == 1


def test_an_older_version_does_not_win() -> None:
    cache = SnapshotCache(1_000_000)
    cache.fold("b", snapshot(0, 10))
    cache.fold("b", snapshot(2, 9))
    assert cache.get("b") == snapshot(0, 10)


def test_a_tombstone_is_known() -> None:
    cache = SnapshotCache(1_000_000)
    cache.fold("b", snapshot(0, 10, None))
    assert cache.get("b") == snapshot(0, 10, None)


def test_what_the_projection_has_passed_goes_and_nothing_else() -> None:
    cache = SnapshotCache(1_000_000)
    cache.fold("old", snapshot(0, 1))
    cache.fold("changed", snapshot(1, 2))
    cache.fold("changed", snapshot(5, 3))
    cache.fold("elsewhere", snapshot(0, 4, partition=1))
    cache.projected({0: 2})
    assert cache.get("old") is None
    assert cache.get("changed") == snapshot(5, 3)
    assert cache.get("elsewhere") is not None
    cache.projected({0: 6, 1: 1})
    assert (len(cache), cache.size) == (0, 0)


def test_what_the_projection_knows_is_not_taken_in() -> None:
    cache = SnapshotCache(1_000_000)
    cache.projected({0: 6})
    cache.fold("b", snapshot(5, 1))
    assert cache.get("b") is None


def test_memory_is_bounded_and_it_knows_that_it_is_incomplete() -> None:
    cache = SnapshotCache(50_000)
    for number in range(20):
        cache.fold(f"batch-{number}", snapshot(number, number, LARGE))
    assert cache.size <= 50_000
    assert cache.get("batch-0") is None
    assert cache.get("batch-19") is not None
    assert not cache.complete(0)
    assert cache.complete(1)
    cache.projected({0: 20})
    assert cache.complete(0)


def test_a_batch_that_changes_often_takes_its_memory_once() -> None:
    cache = SnapshotCache(50_000)
    for number in range(100):
        cache.fold("b", snapshot(number, number, LARGE))
    assert cache.get("b") == snapshot(99, 99, LARGE)
    assert cache.complete(0)


def test_a_projection_that_was_lost_is_incomplete_until_it_is_where_it_was() -> None:
    cache = SnapshotCache(50_000)
    cache.fold("b", snapshot(7, 1))
    cache.projected({0: 8})
    assert cache.complete(0)
    cache.projected({})
    assert not cache.complete(0)
    cache.projected({0: 7})
    assert not cache.complete(0)
    cache.projected({0: 8})
    assert cache.complete(0)


@pytest.mark.slow
@pytest.mark.parametrize("keys", [1, 3, 20_000])
def test_the_memory_held_is_within_the_bound_for_one_key_and_for_many(keys: int) -> None:
    bound = 1_048_576
    cache = SnapshotCache(bound)
    tracemalloc.start()
    try:
        for number in range(40_000):
            cache.fold(f"batch-{number % keys:030}", snapshot(10**9 + number, 2**50 + number, bytes(20), number % 2))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cache.size <= bound
    assert held < 1.25 * bound, f"{held} bytes are held, {cache.size} are accounted for"
    assert cache.get(f"batch-{39_999 % keys:030}") is not None


def test_a_batch_that_changed_leaves_by_its_newest_place() -> None:
    cache = SnapshotCache(1_000_000)
    for offset in range(1_000):
        cache.fold("busy", snapshot(offset, offset))
    cache.fold("later", snapshot(1_000, 1))
    cache.projected({0: 999})
    assert cache.get("busy") == snapshot(999, 999)
    cache.projected({0: 1_000})
    assert cache.get("busy") is None
    assert cache.get("later") is not None


def test_where_reading_began_without_the_projection_nothing_is_complete_until_it_has_come_so_far() -> None:
    cache = SnapshotCache(50_000)
    cache.start_at({0: 10, 1: 0})
    assert not cache.complete(0)
    assert not cache.complete(1), "the projection may still say that it is ahead"
    cache.fold("b", snapshot(10, 1))
    cache.projected({0: 9})
    assert not cache.complete(0)
    assert cache.complete(1)
    assert cache.get("b") is not None
    cache.projected({0: 10})
    assert cache.complete(0)
