"""The rate of each caller, by a clock of the test's."""

from api.access.rates import RateLimit


def test_a_burst_of_a_second_then_the_rate() -> None:
    now = 100.0
    limit = RateLimit(4, clock=lambda: now)
    assert [limit.wait_s("a") for _ in range(5)] == [0, 0, 0, 0, 0.25]
    assert limit.wait_s("b") == 0, "another caller has a bucket of its own"
    now += 0.25
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") > 0
    now += 60
    assert [limit.wait_s("a") > 0 for _ in range(5)] == [False, False, False, False, True], "never more than a burst"


def test_a_rate_below_one_a_second() -> None:
    now = 0.0
    limit = RateLimit(0.5, clock=lambda: now)
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") == 2.0
    now = 2.0
    assert limit.wait_s("a") == 0
