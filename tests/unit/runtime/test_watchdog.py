"""The watchdog tells what is missing, and does not take a pause of the whole process for silence."""

from threading import Event

from runtime.watchdog import Watchdog
from schemas.errors import LivenessError, OrchestratorError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def silent(seconds: float) -> LivenessError:
    return LivenessError(f"silent for {seconds:.0f} s", next_step="None.")


def watched(clock: Clock, bound_s: float = 10.0) -> Watchdog:
    watchdog = Watchdog(lambda _: None, clock=clock)
    watchdog.expect("client", bound_s=bound_s, error=silent)
    return watchdog


def looks(watchdog: Watchdog, clock: Clock, seconds: float) -> OrchestratorError | None:
    """Look every second for so long; what is missing at last."""
    found = None
    for _ in range(round(seconds)):
        clock.now += 1.0
        found = watchdog.check()
    return found


def test_a_sign_that_stays_away_for_its_bound_is_missing() -> None:
    clock = Clock()
    watchdog = watched(clock)
    assert looks(watchdog, clock, 10) is None
    assert str(looks(watchdog, clock, 1)).startswith("ORC-NO-LIFE: silent for 11 s")


def test_each_sign_of_life_counts_anew() -> None:
    clock = Clock()
    watchdog = watched(clock)
    for _ in range(5):
        assert looks(watchdog, clock, 8) is None
        watchdog.seen("client")


def test_one_sign_does_not_stand_for_another() -> None:
    clock = Clock()
    watchdog = watched(clock)
    watchdog.expect("loop", bound_s=10, error=silent)
    for _ in range(11):
        watchdog.seen("loop")
        missing = looks(watchdog, clock, 1)
    assert missing is not None


def test_a_pause_of_the_process_itself_is_no_silence() -> None:
    clock = Clock()
    watchdog = watched(clock)
    assert looks(watchdog, clock, 5) is None
    clock.now += 60
    assert watchdog.check() is None
    assert looks(watchdog, clock, 5) is None
    assert looks(watchdog, clock, 1) is not None


def test_work_with_a_bound_of_its_own_may_take_longer_and_what_follows_may_not() -> None:
    clock = Clock()
    watchdog = watched(clock)
    with watchdog.allow("client", 30), watchdog.allow("client", 60):
        assert looks(watchdog, clock, 60) is None
    assert looks(watchdog, clock, 10) is None
    assert looks(watchdog, clock, 1) is not None


def test_what_is_forgotten_is_not_missing() -> None:
    clock = Clock()
    watchdog = watched(clock)
    watchdog.forget("client")
    watchdog.seen("client")
    assert looks(watchdog, clock, 100) is None


def test_it_looks_by_itself() -> None:
    ended = Event()
    with Watchdog(lambda _: ended.set()) as watchdog:
        watchdog.expect("client", bound_s=0.1, error=silent)
        assert ended.wait(60)
