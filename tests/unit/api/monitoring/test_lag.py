"""Seconds behind, from offsets and when they were seen."""

from api.monitoring.lag import LagClock


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_behind_is_the_age_of_the_oldest_unread_record() -> None:
    clock = Clock()
    lag: LagClock[str] = LagClock(clock)
    for second, end in enumerate([10, 20, 20, 30]):
        clock.now = float(second)
        lag.saw("p", end)
    clock.now = 10.0
    assert lag.behind("p", 5) == 10.0
    assert lag.behind("p", 10) == 9.0
    assert lag.behind("p", 19) == 9.0
    assert lag.behind("p", 20) == 7.0
    assert lag.behind("p", 30) == 0.0


def test_what_was_caught_up_with_is_no_lag_again() -> None:
    clock = Clock()
    lag: LagClock[str] = LagClock(clock)
    lag.saw("p", 10)
    assert lag.behind("p", 10) == 0.0
    clock.now = 100.0
    lag.saw("p", 11)
    clock.now = 101.0
    assert lag.behind("p", 10) == 1.0


def test_an_unknown_partition_is_not_behind() -> None:
    assert LagClock[str]().behind("p", 0) == 0.0
