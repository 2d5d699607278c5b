import pytest

from api.dashboard.views.times import duration, iso, relative, utc

NOW = 1_795_442_602_120
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def test_a_time_is_exact_to_the_millisecond_and_says_that_it_is_in_utc() -> None:
    assert utc(NOW) == "2026-11-23 14:03:22.120Z"
    assert iso(NOW) == "2026-11-23T14:03:22.120Z"


def test_a_time_of_today_needs_no_date() -> None:
    assert utc(NOW - HOUR, NOW) == "13:03:22.120Z"
    assert utc(NOW - DAY, NOW) == "2026-11-22 14:03:22.120Z"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0s"),
        (999, "0s"),
        (12 * SECOND, "12s"),
        (41 * MINUTE + 12 * SECOND, "41m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 5 * MINUTE, "3h 5m"),
        (2 * DAY + 4 * HOUR, "2d 4h"),
    ],
)
def test_a_duration_has_at_most_two_units(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


def test_a_time_is_told_from_now_in_both_directions() -> None:
    assert relative(NOW - 41 * MINUTE, NOW) == "41m ago"
    assert relative(NOW + 3 * HOUR, NOW) == "in 3h"
    assert relative(NOW - 400, NOW) == "now"
