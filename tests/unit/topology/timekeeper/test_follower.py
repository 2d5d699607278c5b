import pytest

from schemas.topics import DAY_MS
from topology.timekeeper.follower import arming_of, unusable
from topology.timekeeper.index import Arming, Position

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
