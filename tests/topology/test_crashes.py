"""A process that is killed at any step, and started again, leads to the same outputs byte for byte."""

from pathlib import Path

import pytest

from tests.topology.driver import OUTPUTS, Driver
from tests.topology.scenario import decide_with_a_fault, outputs, undisturbed, written

pytestmark = pytest.mark.usefixtures("message_path")


def steps_of(directory: Path, every: int, **settings: str) -> int:
    return len(written(directory, **settings).run(every=every, decide=decide_with_a_fault))


def killed_once(directory: Path, *, dies_at: int, every: int, lost: bool, **settings: str) -> Driver:
    driver = written(directory, **settings)
    assert not driver.survive(dies_at=dies_at, every=every, decide=decide_with_a_fault)
    if lost:
        driver.lose_state()
    driver.run(every=every, decide=decide_with_a_fault)
    return driver


# Outputs are one transaction with the state: nothing is taken for sent that is not.
@pytest.mark.defect(39)
@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True], ids=["state kept", "state lost"])
@pytest.mark.parametrize("every", [1, 4], ids=["commit each record", "commit every four"])
def test_a_crash_at_any_step_changes_nothing_that_is_committed(in_memory: Path, *, every: int, lost: bool) -> None:
    expected = undisturbed(in_memory / "undisturbed")
    steps = steps_of(in_memory / "count", every)
    aborted = 0
    for dies_at in range(steps):
        driver = killed_once(in_memory / str(dies_at), dies_at=dies_at, every=every, lost=lost)
        assert outputs(driver) == expected, f"killed before step {dies_at}"
        seen_early = driver.kafka.read(*OUTPUTS, state="aborted")
        # Peers that read uncommitted have seen these: they must be the same when they come again.
        assert set(seen_early) <= set(expected), f"killed before step {dies_at}"
        aborted += len(seen_early)
    assert aborted > 0


@pytest.mark.slow
def test_many_crashes_in_a_row_change_nothing_that_is_committed(in_memory: Path) -> None:
    expected = undisturbed(in_memory / "undisturbed")
    for stride in (5, 11, 17, 29):
        driver = written(in_memory / f"stride-{stride}")
        deaths = 0
        while not driver.survive(dies_at=stride, every=1, decide=decide_with_a_fault):
            deaths += 1
            if deaths % 2:
                driver.lose_state()
            assert deaths < 500
            if stride == 5 and deaths > 20:
                break  # too few steps for a record: it never gets anywhere, and does no harm
        driver.run(decide=decide_with_a_fault)
        assert outputs(driver) == expected, f"killed every {stride} steps"


@pytest.mark.slow
def test_at_least_once_repeats_after_a_crash_are_the_same_byte_for_byte(in_memory: Path) -> None:
    guarantee = "at-least-once"
    expected = undisturbed(in_memory / "undisturbed", processing_guarantee=guarantee)
    steps = steps_of(in_memory / "count", 4, processing_guarantee=guarantee)
    repeated = 0
    for dies_at in range(steps):
        driver = killed_once(
            in_memory / str(dies_at), dies_at=dies_at, every=4, lost=bool(dies_at % 2), processing_guarantee=guarantee
        )
        found = outputs(driver)
        assert set(found) == set(expected), f"killed before step {dies_at}"
        repeated += len(found) - len(expected)
    assert repeated > 0
