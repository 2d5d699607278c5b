"""Each guard beside the fault that it prevents: without the guard the fault shows, with it it does not."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.exceptions import PartitionAssignmentError
from quixstreams.internal_producer import KafkaProducerTransactionCommitFailed
from rocksdict import DbClosedError

from runtime import exit_codes
from schemas.errors import StateError
from schemas.internal.enums import Disposition
from schemas.internal.records import decode_history
from schemas.topics import Topic
from tests.topology.driver import Driver, Left
from tests.topology.records import concluded, ready, record, register, uuid_of
from tests.topology.scenario import decide_with_a_fault, outputs, undisturbed, written
from topology.orchestrator import processor
from topology.stream.guards import wait_until_stable

pytestmark = pytest.mark.usefixtures("message_path")

BATCH = uuid_of("batch")
GUARDED = pytest.mark.parametrize("guarded", [False, True], ids=["without the guard", "with the guard"])


def history_of(driver: Driver) -> list[Disposition]:
    return [decode_history(one.value or b"").disposition for one in driver.kafka.read(Topic.HISTORY)]


@GUARDED
def test_h1_a_process_that_lost_its_partitions_commits_its_old_checkpoint(in_memory: Path, *, guarded: bool) -> None:
    paused = written(in_memory / "paused", instance="paused")
    other = Driver(in_memory / "other", paused.kafka, instance="other")
    application = paused.application(decide=decide_with_a_fault, guarded=guarded)
    application.memory_consumer.lose_at = 3
    application.memory_consumer.on_loss = lambda: other.run(decide=decide_with_a_fault)
    if guarded:
        with pytest.raises(Left) as left:
            application.run()
        assert left.value.code == exit_codes.LOST
        paused.run(decide=decide_with_a_fault)
        assert outputs(paused) == undisturbed(in_memory / "undisturbed")
    else:
        with pytest.raises(DbClosedError):  # the closed store ends it, after the commit
            application.run()
        assert max(Counter(outputs(paused)).values()) == 2


@GUARDED
def test_h2_a_changelog_whose_commit_marker_is_late_gives_old_state(in_memory: Path, *, guarded: bool) -> None:
    driver = Driver(in_memory)
    version = driver.put(record(BATCH, register(BATCH)))
    driver.run()
    driver.put(record(BATCH, ready(BATCH, version)))
    driver.kafka.late_markers = {driver.kafka.table.changelog}
    driver.run()
    driver.lose_state()
    driver.put(record(BATCH, concluded(BATCH, version, "spellcheck")))
    driver.kafka.looks_until_settled = 2
    driver.run(guarded=guarded)
    assert history_of(driver)[-1] is (Disposition.APPLIED if guarded else Disposition.STALE)


def test_h2_a_transaction_that_stays_open_ends_the_process(in_memory: Path) -> None:
    driver = Driver(in_memory)
    changelog = (driver.kafka.table.changelog, 0)
    driver.kafka.append(changelog, b"key", b"value")[0].state = "open"
    with pytest.raises(StateError) as unstable:
        wait_until_stable(driver.kafka, [changelog], limit_s=0)
    assert unstable.value.code == "ORC-STATE-UNSTABLE"


@GUARDED
def test_h3_forgotten_offsets_have_the_inbox_decided_again_on_empty_state(in_memory: Path, *, guarded: bool) -> None:
    driver = Driver(in_memory)
    version = driver.put(record(BATCH, register(BATCH)))
    driver.put(record(BATCH, ready(BATCH, version)))
    driver.run()
    driver.kafka.offsets.clear()
    driver.lose_state()
    if guarded:
        with pytest.raises(PartitionAssignmentError) as refused:
            driver.run()
        assert isinstance(refused.value.__cause__, StateError)
        assert refused.value.__cause__.code == "ORC-STATE-OFFSETS-LOST"
    else:
        driver.run(guarded=False)
    commands = driver.kafka.read(Topic.SPELLCHECK_COMMAND)
    assert len(commands) == (1 if guarded else 2)


@GUARDED
def test_h3_offsets_behind_the_state_have_records_decided_twice(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    driver = Driver(in_memory)
    driver.put(record(BATCH, register(BATCH)))
    driver.run()
    driver.kafka.offsets = dict.fromkeys(driver.kafka.offsets, 0)
    if guarded:
        with pytest.raises(StateError) as ahead:
            driver.run()
        assert ahead.value.code == "ORC-STATE-AHEAD"
    else:
        monkeypatch.setattr(processor, "require_newer", lambda *_: None)
        driver.run()
    assert len(history_of(driver)) == (1 if guarded else 2)


def test_h3_new_partitions_are_claimed_before_anything_is_processed(in_memory: Path) -> None:
    driver = Driver(in_memory)
    driver.put(record(BATCH, register(BATCH)))
    steps = list(driver.run())
    assert steps.index("commit offsets") < min(n for n, step in enumerate(steps) if step.startswith("produce"))
    assert len(driver.kafka.offsets) == driver.settings.topic_partitions


def test_h3_a_crash_in_the_very_first_checkpoint_is_not_taken_for_lost_offsets(in_memory: Path) -> None:
    driver = Driver(in_memory)
    driver.put(record(BATCH, register(BATCH)))
    rehearsal = Driver(in_memory / "rehearsal")
    rehearsal.put(record(BATCH, register(BATCH)))
    assert not driver.survive(dies_at=list(rehearsal.run()).index("commit"))
    changelog = [log for (topic, _), log in driver.kafka.logs.items() if topic == driver.kafka.table.changelog]
    assert [len(log) for log in changelog if log], "the changelog holds what was never committed"
    driver.run()
    assert history_of(driver) == [Disposition.APPLIED]


def test_a_commit_of_unknown_outcome_ends_the_process_and_aborts_nothing(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(in_memory)
    driver.put(record(BATCH, register(BATCH)))
    application = driver.application()

    def unknown(*_: Any, **__: Any) -> None:
        raise KafkaProducerTransactionCommitFailed("no answer")

    monkeypatch.setattr(application._producer, "commit_transaction", unknown)
    with pytest.raises(Left) as left:
        application.run()
    assert left.value.code == exit_codes.COMMIT_UNKNOWN
    assert not driver.kafka.read(Topic.HISTORY, state="aborted")
    driver.run()
    assert history_of(driver) == [Disposition.APPLIED]


@pytest.mark.parametrize(("twin", "code"), [(False, exit_codes.LOST), (True, exit_codes.CONFIGURATION)])
def test_only_a_proven_twin_ends_a_fenced_process_for_good(in_memory: Path, *, twin: bool, code: int) -> None:
    application = written(in_memory).application(decide=decide_with_a_fault)
    application.twin_reports = lambda: twin
    with pytest.raises(Left) as left:
        application._leave_if_fenced(KafkaError(KafkaError.FENCED_INSTANCE_ID))
    assert left.value.code == code


@pytest.mark.parametrize(("twin", "code"), [(False, exit_codes.LOST), (True, exit_codes.CONFIGURATION)])
def test_a_fence_that_only_the_abort_after_another_error_shows_is_told_too(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, *, twin: bool, code: int
) -> None:
    driver = written(in_memory)
    application = driver.application()
    application.twin_reports = lambda: twin

    def fails(code: int) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            raise KafkaException(KafkaError(code))

        return fail

    monkeypatch.setattr(application._producer, "commit_transaction", fails(KafkaError._STATE))
    monkeypatch.setattr(application._producer, "abort_transaction", fails(KafkaError._FENCED))
    with pytest.raises(Left) as left:
        application.run()
    assert left.value.code == code
