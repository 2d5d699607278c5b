from topology.timekeeper.clock import WINDOW_S, BrokerClock


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


def test_it_knows_no_time_before_a_record_was_seen() -> None:
    assert BrokerClock().now_ms() is None


def test_it_goes_on_from_the_append_time() -> None:
    monotonic = Monotonic()
    clock = BrokerClock(monotonic)
    clock.observe(1_000_000)
    monotonic.seconds += 2.5
    assert clock.now_ms() == 1_002_500


def test_a_record_that_was_seen_late_does_not_set_it_back() -> None:
    monotonic = Monotonic()
    clock = BrokerClock(monotonic)
    clock.observe(1_000_000)
    clock.observe(10)
    assert clock.now_ms() == 1_000_000


def test_a_record_that_was_seen_sooner_after_its_append_sets_it_on() -> None:
    monotonic = Monotonic()
    clock = BrokerClock(monotonic)
    clock.observe(1_000_000)
    monotonic.seconds += 1
    clock.observe(1_003_000)
    assert clock.now_ms() == 1_003_000


def test_it_follows_a_clock_that_was_set_back() -> None:
    monotonic = Monotonic()
    clock = BrokerClock(monotonic)
    clock.observe(9_000_000)
    for turn in range(3):
        monotonic.seconds += WINDOW_S + 1
        clock.observe(1_000_000 + turn * round(WINDOW_S + 1) * 1_000)
    assert clock.now_ms() == 1_000_000 + 2 * round(WINDOW_S + 1) * 1_000


def test_without_new_records_it_keeps_what_it_knows() -> None:
    monotonic = Monotonic()
    clock = BrokerClock(monotonic)
    clock.observe(1_000_000)
    monotonic.seconds += 10 * WINDOW_S
    assert clock.now_ms() == 1_000_000 + 10 * WINDOW_S * 1_000


def test_a_time_that_the_broker_has_just_given_sets_it_back() -> None:
    monotonic = Monotonic()
    clock = BrokerClock(monotonic)
    clock.observe(9_000_000)
    monotonic.seconds += WINDOW_S + 1
    clock.observe(9_500_000)
    clock.set_back(1_000_000)
    assert clock.now_ms() == 1_000_000
