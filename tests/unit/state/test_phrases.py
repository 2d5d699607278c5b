"""Counts and times in words."""

import pytest

from state.phrases import clock, counted, duration, listed

S, MIN, H, D = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (-5, "0 s"),
        (999, "0 s"),
        (59_999, "59 s"),
        (MIN, "1 min"),
        (41 * MIN + 59 * S, "41 min"),
        (H, "1 h"),
        (2 * H + 5 * MIN, "2 h 5 min"),
        (D - 1, "23 h 59 min"),
        (3 * D + 4 * H, "3 d 4 h"),
        (7 * D, "7 d"),
    ],
)
def test_a_duration_has_two_units_at_most(milliseconds: int, said: str) -> None:
    assert duration(milliseconds) == said


def test_a_time_soon_has_seconds() -> None:
    assert clock(1_750_000_000_000, 1_750_000_000_000) == "2025-06-15 15:06:40Z"
    assert clock(1_750_000_000_000, 1_750_000_000_000 + 10 * MIN) == "2025-06-15 15:06Z"


def test_names_and_counts() -> None:
    assert [listed(()), listed(("a",)), listed(("a", "b")), listed(("a", "b", "c"))] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [counted(1, "essay"), counted(0, "essay"), counted("?", "file")] == ["1 essay", "0 essays", "? files"]
