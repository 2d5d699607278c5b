"""The snapshots that are newer than the projection."""

from api.kafka_log.snapshot_cache import Snapshot, SnapshotCache

LARGE = b"x" * 10_000


def snapshot(offset: int, version: int, value: bytes | None = b"s", partition: int = 0) -> Snapshot:
    return Snapshot(partition, offset, version, value)


def test_it_holds_the_newest_snapshot() -> None:
    view = SnapshotCache(1_000_000)
    view.fold("b", snapshot(0, 10))
    view.fold("b", snapshot(2, 12))
    assert view.get("b") == snapshot(2, 12)
    assert len(view) == 1


def test_an_older_version_does_not_win() -> None:
    view = SnapshotCache(1_000_000)
    view.fold("b", snapshot(0, 10))
    view.fold("b", snapshot(2, 9))
    assert view.get("b") == snapshot(0, 10)


def test_a_tombstone_is_known() -> None:
    view = SnapshotCache(1_000_000)
    view.fold("b", snapshot(0, 10, None))
    assert view.get("b") == snapshot(0, 10, None)


def test_what_the_projection_has_passed_goes_and_nothing_else() -> None:
    view = SnapshotCache(1_000_000)
    view.fold("old", snapshot(0, 1))
    view.fold("changed", snapshot(1, 2))
    view.fold("changed", snapshot(5, 3))
    view.fold("elsewhere", snapshot(0, 4, partition=1))
    view.projected({0: 2})
    assert view.get("old") is None
    assert view.get("changed") == snapshot(5, 3)
    assert view.get("elsewhere") is not None
    view.projected({0: 6, 1: 1})
    assert (len(view), view.size) == (0, 0)


def test_what_the_projection_knows_is_not_taken_in() -> None:
    view = SnapshotCache(1_000_000)
    view.projected({0: 6})
    view.fold("b", snapshot(5, 1))
    assert view.get("b") is None


def test_memory_is_bounded_and_it_knows_that_it_is_incomplete() -> None:
    view = SnapshotCache(50_000)
    for number in range(20):
        view.fold(f"batch-{number}", snapshot(number, number, LARGE))
    assert view.size <= 50_000
    assert view.get("batch-0") is None
    assert view.get("batch-19") is not None
    assert not view.complete(0)
    assert view.complete(1)
    view.projected({0: 20})
    assert view.complete(0)


def test_a_batch_that_changes_often_takes_its_memory_once() -> None:
    view = SnapshotCache(50_000)
    for number in range(100):
        view.fold("b", snapshot(number, number, LARGE))
    assert view.get("b") == snapshot(99, 99, LARGE)
    assert view.complete(0)


def test_a_projection_that_was_lost_is_incomplete_until_it_is_where_it_was() -> None:
    view = SnapshotCache(50_000)
    view.fold("b", snapshot(7, 1))
    view.projected({0: 8})
    assert view.complete(0)
    view.projected({})
    assert not view.complete(0)
    view.projected({0: 7})
    assert not view.complete(0)
    view.projected({0: 8})
    assert view.complete(0)
