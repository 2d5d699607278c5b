"""Defects of the service before this one that need a crash to show, by their number in docs/wire-contract.md."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus
from schemas.internal.history import HistoryRecord
from schemas.internal.records import decode_history, decode_status
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from state.decision.decide import decide
from tests.topology.driver import Driver
from tests.topology.records import concluded, ready, record, register, uuid_of
from tests.topology.scenario import POISON, decide_with_a_fault

pytestmark = pytest.mark.usefixtures("message_path")

BATCH = uuid_of("batch")


def killed_at_each_step(
    directory: Path, written: Callable[[Path], Driver], *, every: int = 0, rule: Callable[..., object] = decide
) -> Iterator[Driver]:
    """Give, for every step of a process, a cluster on which it was killed there and a second one went on."""
    for step in count():
        driver = written(directory / str(step))
        if driver.survive(dies_at=step, every=every, decide=rule):
            assert step > 10
            return
        driver.run(decide=rule)
        yield driver


def status_of(driver: Driver, batch_id: str = BATCH) -> StatusRecord:
    values = [one.value or b"" for one in driver.kafka.read(Topic.STATUS) if one.key == batch_id.encode()]
    return decode_status(values[-1])


def history_of(driver: Driver) -> list[HistoryRecord]:
    return [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]


def is_ready(directory: Path) -> Driver:
    driver = Driver(directory)
    version = driver.put(record(BATCH, register(BATCH)))
    driver.put(record(BATCH, ready(BATCH, version)))
    return driver


def is_checked(directory: Path) -> Driver:
    driver = is_ready(directory)
    driver.put(record(BATCH, concluded(BATCH, 0, "spellcheck")))
    return driver


def is_judged(directory: Path) -> Driver:
    driver = is_checked(directory)
    driver.put(record(BATCH, concluded(BATCH, 0, "cj_assessment")))
    return driver


def is_poisoned(directory: Path) -> Driver:
    driver = Driver(directory)
    driver.put_lives(POISON, BATCH)
    return driver


@pytest.mark.slow
def test_defect_01_a_crash_between_command_and_state_never_gives_a_second_command(in_memory: Path) -> None:
    seen_twice = 0
    for driver in killed_at_each_step(in_memory, is_ready, every=1):
        [command] = driver.kafka.read(Topic.SPELLCHECK_COMMAND)
        early = driver.kafka.read(Topic.SPELLCHECK_COMMAND, state="aborted")
        assert set(early) <= {command}
        seen_twice += len(early)
    assert seen_twice > 0, "no crash fell between command and state"


def test_defect_02_an_outcome_right_behind_its_dispatch_is_not_lost_to_it(in_memory: Path) -> None:
    for driver in killed_at_each_step(in_memory, is_checked):  # dispatch and outcome in one checkpoint
        assert status_of(driver).phases["spellcheck"].status is PhaseStatus.COMPLETED_SUCCESSFULLY


@pytest.mark.slow
def test_defect_14_a_failed_record_is_never_passed_by_the_next_commit(in_memory: Path) -> None:
    for driver in killed_at_each_step(in_memory, is_poisoned, every=2, rule=decide_with_a_fault):
        [letter] = driver.kafka.read(Topic.DEAD_LETTERS)
        parsed = parse_dead_letter(letter.key, dict(letter.headers), letter.value)
        assert parsed.code == "ORC-DECISION-FAILED"
        failed = [one for one in history_of(driver) if one.disposition is Disposition.QUARANTINED]
        assert [one.dead_letter_id for one in failed] == [parsed.dead_letter_id]


# There is no outbox whose dead rows could be tried again and again: a record is set aside once.
@pytest.mark.defect(40)
def test_defect_15_a_poison_record_does_not_come_again_after_a_restart(in_memory: Path) -> None:
    driver = is_poisoned(in_memory)
    driver.run(every=1, decide=decide_with_a_fault)
    for _ in range(3):
        driver.lose_state()
        driver.run(decide=decide_with_a_fault)
    assert len(driver.kafka.read(Topic.DEAD_LETTERS)) == 1
    assert status_of(driver).status is BatchStatus.COMPLETED_SUCCESSFULLY


@pytest.mark.parametrize("lost", [False, True], ids=["state kept", "state lost"])
def test_defect_18_what_was_done_is_known_after_any_restart(in_memory: Path, *, lost: bool) -> None:
    driver = is_ready(in_memory)
    driver.run()
    if lost:
        driver.lose_state()
    driver.put(record(BATCH, register(BATCH), 8), record(BATCH, ready(BATCH, 0), 9))
    driver.run()
    assert [one.disposition for one in history_of(driver)[2:]] == [Disposition.DUPLICATE] * 2
    assert len(driver.kafka.read(Topic.REGISTERED)) == len(driver.kafka.read(Topic.SPELLCHECK_COMMAND)) == 1


@pytest.mark.slow
def test_defect_21_no_update_of_a_batch_is_lost_to_another(in_memory: Path) -> None:
    for driver in killed_at_each_step(in_memory, is_judged, every=3):
        chain = [(one.based_on, one.version) for one in history_of(driver)]
        assert chain == [(-1, 0), (0, 1), (1, 2), (2, 3)]
        phases = status_of(driver).phases.values()
        assert {phase.status for phase in phases} == {PhaseStatus.COMPLETED_SUCCESSFULLY}
