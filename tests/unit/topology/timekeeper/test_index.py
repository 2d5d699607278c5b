import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StateError
from topology.timekeeper.index import ArmedDeadline, Arming, DeadlineIndex

EVER = 10**15


@pytest.fixture
def index(tmp_path: Path) -> Iterator[DeadlineIndex]:
    opened = DeadlineIndex(tmp_path / "index")
    yield opened
    opened.close()


def arm(index: DeadlineIndex, *armings: tuple[str, int | None], partition: int = 0, offset: int = 1) -> None:
    given = [Arming(key.encode(), due_ms, offset) for key, due_ms in armings]
    index.apply(partition, given, offset + 1, 1)


def due(index: DeadlineIndex, until_ms: int = EVER, partition: int = 0, limit: int = 100) -> list[tuple[str, int]]:
    return [(entry.key.decode(), entry.due_ms) for entry in index.due(partition, until_ms, limit)]


def armed(index: DeadlineIndex, partition: int = 0) -> int:
    position = index.position(partition)
    assert position is not None
    return position.armed


def test_the_earliest_comes_first(index: DeadlineIndex) -> None:
    arm(index, ("b", 300), ("a", 2), ("c", 256))
    assert due(index) == [("a", 2), ("c", 256), ("b", 300)]
    assert due(index, until_ms=256) == [("a", 2), ("c", 256)]
    assert due(index, until_ms=1) == []
    assert due(index, limit=1) == [("a", 2)]


def test_a_batch_has_one_deadline_and_a_later_status_replaces_it(index: DeadlineIndex) -> None:
    arm(index, ("a", 10), ("a", 20))
    arm(index, ("a", 5), offset=2)
    assert due(index) == [("a", 5)]
    assert armed(index) == 1


def test_a_status_without_a_deadline_disarms(index: DeadlineIndex) -> None:
    arm(index, ("a", 10), ("b", 20))
    arm(index, ("a", None), ("unknown", None), offset=2)
    assert due(index) == [("b", 20)]
    assert armed(index) == 1


def test_a_deadline_that_was_fired_comes_again_at_its_time(index: DeadlineIndex) -> None:
    arm(index, ("a", 10), ("b", 20))
    first = index.due(0, 15, 100)
    index.postpone((entry, 1_000) for entry in first)
    assert due(index, until_ms=999) == [("b", 20)]
    again = index.due(0, 1_000, 100)
    assert [(entry.key, entry.due_ms, entry.fired) for entry in again] == [(b"b", 20, 0), (b"a", 10, 1)]


def test_the_same_deadline_in_a_new_status_is_not_fired_anew(index: DeadlineIndex) -> None:
    arm(index, ("a", 10))
    index.postpone((entry, 1_000) for entry in index.due(0, 10, 100))
    arm(index, ("a", 10), offset=2)
    assert due(index, until_ms=999) == []
    arm(index, ("a", 11), offset=3)
    assert due(index, until_ms=999) == [("a", 11)]


def test_an_earlier_deadline_that_comes_late_is_found(index: DeadlineIndex) -> None:
    arm(index, ("a", 500))
    assert due(index, until_ms=400) == []
    arm(index, ("b", 100), offset=2)
    assert due(index, until_ms=400) == [("b", 100)]


def test_partitions_are_apart(index: DeadlineIndex) -> None:
    arm(index, ("a", 10), partition=0)
    arm(index, ("b", 20), partition=1)
    arm(index, ("c", 30), partition=256)
    assert [due(index, partition=number) for number in (0, 1, 256)] == [[("a", 10)], [("b", 20)], [("c", 30)]]
    index.reset(0)
    assert index.position(0) is None
    assert [due(index, partition=number) for number in (0, 1, 256)] == [[], [("b", 20)], [("c", 30)]]


def test_what_waits_is_counted_up_to_a_limit(index: DeadlineIndex) -> None:
    arm(index, ("a", 10), ("b", 20), ("c", 30))
    assert index.overdue(0, 25, 100) == 2
    assert index.overdue(0, 25, 1) == 1


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    index = DeadlineIndex(tmp_path)
    arm(index, ("a", 10), offset=41)
    index.close()
    index = DeadlineIndex(tmp_path)
    position = index.position(0)
    assert position is not None
    assert (position.offset, position.armed) == (42, 1)
    assert index.due(0, EVER, 1) == [ArmedDeadline(0, b"a", 10, 10, 41, 0)]
    index.close()


def test_what_it_has_taken_in_survives_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from topology.timekeeper.index import Arming, DeadlineIndex; "
        "index = DeadlineIndex(Path(sys.argv[1])); index.apply(0, [Arming(b'a', 10, 41)], 42, 1); os._exit(9)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], check=False)
    index = DeadlineIndex(tmp_path)
    assert due(index) == [("a", 10)]
    index.close()


@pytest.mark.parametrize("damage", ["CURRENT", "format"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: str) -> None:
    index = DeadlineIndex(tmp_path)
    arm(index, ("a", 10))
    if damage == "format":
        index._database[b"format"] = b"0"
    index.close()
    if damage != "format":
        (tmp_path / damage).write_text("nonsense")
    index = DeadlineIndex(tmp_path)
    assert index.position(0) is None
    assert due(index) == []
    arm(index, ("b", 20))
    assert due(index) == [("b", 20)]
    index.close()


def test_an_index_that_fails_is_told(tmp_path: Path) -> None:
    index = DeadlineIndex(tmp_path)
    index.close()
    for use in (lambda: arm(index, ("a", 10)), lambda: index.reset(0), lambda: index.due(0, EVER, 1)):
        with pytest.raises(StateError, match="cannot be read or written") as raised:
            use()
        assert raised.value.code == "ORC-STATE-DIRECTORY"
