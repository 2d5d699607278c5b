"""Defects of the service before this one that need a crash to show. Each test names its number in the wire contract."""

from pathlib import Path

import pytest

from schemas.dead_letters import parse_dead_letter
from schemas.internal import decode_history, decode_status
from schemas.status import StatusRecord
from schemas.statuses import BatchStatus, Disposition, PhaseStatus
from schemas.topics import Topic
from tests.topology.driver import Driver
from tests.topology.records import concluded, ready, record, register, uuid_of
from tests.topology.scenario import POISON, decide_with_a_fault

BATCH = uuid_of("batch")
EVERY_STEP = range(60)


def status_of(driver: Driver, batch_id: str = BATCH) -> StatusRecord:
    return [
        decode_status(one.value or b"") for one in driver.kafka.read(Topic.STATUS) if one.key == batch_id.encode()
    ][-1]


def registered_and_ready(directory: Path) -> tuple[Driver, int]:
    driver = Driver(directory)
    version = driver.put(record(BATCH, register(BATCH)))
    driver.put(record(BATCH, ready(BATCH, version)))
    return driver, version


def test_defect_01_a_crash_between_command_and_state_never_gives_a_second_command(tmp_path: Path) -> None:
    seen_twice = 0
    for step in EVERY_STEP:
        driver, _ = registered_and_ready(tmp_path / str(step))
        driver.survive(dies_at=step, every=1)
        driver.run()
        [command] = driver.kafka.read(Topic.SPELLCHECK_COMMAND)
        early = driver.kafka.read(Topic.SPELLCHECK_COMMAND, state="aborted")
        assert set(early) <= {command}
        seen_twice += len(early)
    assert seen_twice > 0, "no crash fell between command and state"


def test_defect_02_an_outcome_right_behind_its_dispatch_is_not_lost_to_it(tmp_path: Path) -> None:
    for step in EVERY_STEP:
        driver, version = registered_and_ready(tmp_path / str(step))
        driver.put(record(BATCH, concluded(BATCH, version, "spellcheck")))
        driver.survive(dies_at=step)  # dispatch and outcome in one checkpoint
        driver.run()
        assert status_of(driver).phases["spellcheck"].status is PhaseStatus.COMPLETED_SUCCESSFULLY


def poisoned(directory: Path) -> Driver:
    driver = Driver(directory)
    driver.put_lives(POISON, BATCH)
    return driver


def test_defect_14_a_failed_record_is_never_passed_by_the_next_commit(tmp_path: Path) -> None:
    for step in EVERY_STEP:
        driver = poisoned(tmp_path / str(step))
        driver.survive(dies_at=step, every=2, decide=decide_with_a_fault)
        driver.run(decide=decide_with_a_fault)
        [letter] = driver.kafka.read(Topic.DEAD_LETTERS)
        parsed = parse_dead_letter(letter.key, dict(letter.headers), letter.value)
        assert parsed.code == "ORC-DECISION-FAILED"
        told = [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]
        failed = [one for one in told if one.disposition is Disposition.QUARANTINED]
        assert [one.dead_letter_id for one in failed] == [parsed.dead_letter_id]


def test_defect_15_a_poison_record_does_not_come_again_after_a_restart(tmp_path: Path) -> None:
    driver = poisoned(tmp_path)
    driver.run(every=1, decide=decide_with_a_fault)
    for _ in range(3):
        driver.lose_state()
        driver.run(decide=decide_with_a_fault)
    assert len(driver.kafka.read(Topic.DEAD_LETTERS)) == 1
    assert status_of(driver).status is BatchStatus.COMPLETED_SUCCESSFULLY


@pytest.mark.parametrize("lost", [False, True], ids=["state kept", "state lost"])
def test_defect_18_what_was_done_is_known_after_any_restart(tmp_path: Path, lost: bool) -> None:
    driver, version = registered_and_ready(tmp_path)
    driver.run()
    if lost:
        driver.lose_state()
    driver.put(record(BATCH, register(BATCH), 8), record(BATCH, ready(BATCH, version), 9))
    driver.run()
    told = [decode_history(one.value or b"").disposition for one in driver.kafka.read(Topic.HISTORY)]
    assert told[2:] == [Disposition.DUPLICATE, Disposition.DUPLICATE]
    assert len(driver.kafka.read(Topic.REGISTERED)) == len(driver.kafka.read(Topic.SPELLCHECK_COMMAND)) == 1


def test_defect_21_no_update_of_a_batch_is_lost_to_another(tmp_path: Path) -> None:
    for step in EVERY_STEP:
        driver, version = registered_and_ready(tmp_path / str(step))
        driver.put(record(BATCH, concluded(BATCH, version, "spellcheck")))
        driver.put(record(BATCH, concluded(BATCH, version, "cj_assessment")))
        driver.survive(dies_at=step, every=3)
        driver.run()
        told = [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]
        chain = [(one.based_on, one.version) for one in told]
        assert chain == [(-1, 0), (0, 1), (1, 2), (2, 3)]
        assert {name: phase.status for name, phase in status_of(driver).phases.items()} == {
            "spellcheck": PhaseStatus.COMPLETED_SUCCESSFULLY,
            "cj_assessment": PhaseStatus.COMPLETED_SUCCESSFULLY,
        }
