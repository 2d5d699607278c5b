"""Timekeepers on a real Kafka: on time, behind the router, killed, without their disk, doubled, and many at once."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from cli.broker import Kafka
from cli.supervision.ports import free_port
from runtime import exit_codes
from runtime.kafka.partitioner import partition_of
from runtime.settings import Settings
from schemas.internal.events import DeadlineReached
from schemas.internal.records import decode_inbox
from schemas.topics import Topic
from tests.integration.processes import Log, RunningProcess, provisioned, ready_event, send
from tests.patience import PATIENCE_S, await_that

ARMED, DUE = "batch_orchestrator_deadlines_armed", "batch_orchestrator_deadlines_due"
GATE_AGE = "batch_orchestrator_deadline_gate_age_seconds"
LONG_MS = 3_600_000


def site(kafka: Kafka, directory: Path, **settings: Any) -> Settings:
    return provisioned(kafka, timekeeper_dir=directory / "deadlines", report_interval_s=0.5, **settings)


def beside(settings: Settings, **changes: Any) -> Settings:
    """Return the settings of another process of the same site."""
    return settings.model_copy(update={"metrics_port": free_port(), **changes})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def arm(settings: Settings, deadlines: Iterable[tuple[str, int | None]]) -> None:
    """Write status records; a deadline of None is a purge."""
    send(
        settings,
        Topic.STATUS,
        [
            {
                "key": batch.encode(),
                "value": None if due_ms is None else b"{}",
                "headers": [("version", b"1"), ("next_deadline_ms", b"%d" % (due_ms or 0))],
            }
            for batch, due_ms in deadlines
        ],
    )


def deadlines(records: Iterable[Message]) -> list[tuple[str, int]]:
    """Return batch and time of each deadline among inbox records, which must not be early."""
    found = []
    for record in records:
        decoded = decode_inbox(record.value() or b"")
        if isinstance(decoded.body, DeadlineReached):
            assert record.key() == decoded.batch_id.encode()
            assert record.timestamp()[1] >= decoded.body.due_ms, "it is not early"
            found.append((decoded.batch_id, decoded.body.due_ms))
    return found


def await_fired(inbox: Log, batches: set[str]) -> None:
    def all_fired() -> bool:
        inbox.look()
        return {batch for batch, _ in deadlines(inbox.records)} >= batches

    await_that(all_fired, "every deadline is in the inbox")


def test_what_is_due_is_fired_and_nothing_else(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    with RunningProcess("timekeeper", settings) as timekeeper, Log(settings, Topic.INBOX) as inbox:
        timekeeper.await_ready()
        due = now_ms() + 4_000
        # All in one go: a machine that is slow between two of these would make the first ones due before they move.
        arm(
            settings,
            [
                *[("first", due), ("ended", due), ("moved", due), ("later", due + LONG_MS)],
                *[("ended", None), ("moved", due + LONG_MS), ("second", due + 500)],
            ],
        )
        await_fired(inbox, {"first", "second"})
        await_that(lambda: timekeeper.metric(DUE) == 0, "nothing more is due")
        inbox.look()
        assert sorted(deadlines(inbox.records)) == [("first", due), ("second", due + 500)], "each of them once"
        for record in inbox.records:
            assert record.partition() == partition_of(record.key() or b"", settings.topic_partitions)
        assert timekeeper.metric(ARMED) == 4, "those that were fired stay armed until their status moves on"
        arm(settings, [("first", None), ("second", None)])
        await_that(lambda: timekeeper.metric(ARMED) == 2, "they are disarmed")
        timekeeper.terminate()
        assert timekeeper.wait() == exit_codes.OK


def test_it_waits_for_the_router(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path, max_lag_s=2)
    with RunningProcess("timekeeper", settings) as timekeeper, Log(settings, Topic.INBOX) as inbox:
        timekeeper.await_ready()
        send(settings, Topic.ESSAYS_READY, [{"value": ready_event("batch")}])
        arm(settings, [("batch", now_ms())])
        await_that(lambda: timekeeper.metric(DUE) == 1, "the deadline is due")
        await_that(lambda: timekeeper.metric(GATE_AGE) > 3, "the gate has been looked at several times")
        assert "ORC-DEADLINE-GATE" in json.dumps(timekeeper.report()), timekeeper.report()
        inbox.look()
        assert inbox.records == []
        with RunningProcess("router", beside(settings)):
            await_fired(inbox, {"batch"})
        kinds = [type(decode_inbox(record.value() or b"").body).__name__ for record in inbox.records]
        assert kinds == ["EssaysReady", "DeadlineReached"]


def test_what_only_markers_follow_does_not_hold_it(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    with RunningProcess("router", beside(settings)) as router, RunningProcess("timekeeper", settings) as timekeeper:
        router.await_ready()
        producer = Producer({**settings.kafka(), "transactional.id": f"{settings.topic_prefix}-peer"})
        producer.init_transactions(PATIENCE_S)
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            producer.produce(settings.topics().name(Topic.ESSAYS_READY), ready_event("batch"), partition=0)
            producer.flush(PATIENCE_S)
            end(PATIENCE_S)
        with Log(settings, Topic.INBOX) as inbox:
            inbox.read(1)
            timekeeper.await_ready()
            arm(settings, [("batch", now_ms())])
            await_fired(inbox, {"batch"})


def test_nothing_is_fired_before_the_statuses_are_read_to_their_end(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    armed = {"value": b"{}", "headers": [("next_deadline_ms", b"%d" % now_ms())]}
    send(settings, Topic.STATUS, [{**armed, "key": b"moved", "partition": 0}])
    producer = Producer({**settings.kafka(), "transactional.id": f"{settings.topic_prefix}-orchestrator"})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(settings.topics().name(Topic.STATUS), b"{}", b"moved", partition=0)
    producer.flush(PATIENCE_S)
    with RunningProcess("timekeeper", settings) as timekeeper, Log(settings, Topic.INBOX) as inbox:
        await_that(lambda: timekeeper.metric(ARMED) == 1, "what can be read has been read")
        send(settings, Topic.STATUS, [{**armed, "key": b"other", "partition": 1}])
        await_fired(inbox, {"other"})
        producer.commit_transaction(PATIENCE_S)
        await_that(lambda: timekeeper.metric(ARMED) == 1, "the status that has moved on is read")
        timekeeper.await_ready()
        send(settings, Topic.STATUS, [{**armed, "key": b"last", "partition": 0}])
        await_fired(inbox, {"last"})
        assert {batch for batch, _ in deadlines(inbox.records)} == {"other", "last"}


@pytest.mark.parametrize("disk", ["kept", "lost"])
def test_a_kill_loses_no_deadline(kafka: Kafka, tmp_path: Path, disk: str) -> None:
    settings = site(kafka, tmp_path)
    due = now_ms() + 2_000
    batches = {f"batch-{number}": due + number * 5 for number in range(1_000)}
    arm(settings, batches.items())
    with Log(settings, Topic.INBOX) as inbox:
        with RunningProcess("timekeeper", settings) as killed:
            inbox.read(20)  # it is in the middle of them
            killed.kill()
            killed.wait()
        if disk == "lost":
            shutil.rmtree(settings.timekeeper_dir)
        arm(settings, [("while-down", due)])
        with RunningProcess("timekeeper", settings) as timekeeper:
            await_fired(inbox, {*batches, "while-down"})
            await_that(lambda: timekeeper.metric(DUE) == 0, "nothing more is due")
            inbox.look()
        fired = Counter(deadlines(inbox.records))
        assert set(fired) == {*batches.items(), ("while-down", due)}
        assert max(fired.values()) <= 2, "once for each start"


def test_two_share_the_partitions_and_a_third_repeats(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    second = beside(settings, instance="1", timekeeper_dir=tmp_path / "second")
    foreign = beside(settings, timekeeper_group=f"{settings.topic_prefix}-other", timekeeper_dir=tmp_path / "third")
    with (
        RunningProcess("timekeeper", settings) as one,
        RunningProcess("timekeeper", second) as two,
        RunningProcess("timekeeper", foreign) as three,
        Log(settings, Topic.INBOX) as inbox,
    ):
        for process in (one, two, three):
            process.await_ready()
        await_that(lambda: 0 < two.report()["partitions"] < 3, "they share the partitions")
        due = now_ms() + 1_000
        batches = {f"batch-{number}" for number in range(300)}
        arm(settings, [(batch, due) for batch in batches])
        await_that(lambda: len(inbox.read(2 * len(batches))) >= 600, "both groups have fired all")
        fired = Counter(deadlines(inbox.records))
        assert fired == dict.fromkeys([(batch, due) for batch in batches], 2), "once for each group"
        values: dict[bytes, set[bytes]] = {}
        for record in inbox.records:
            values.setdefault(record.key() or b"", set()).add(record.value() or b"")
        assert all(len(found) == 1 for found in values.values()), "a repeat is the same, byte for byte"
        two.terminate()
        assert two.wait() == exit_codes.OK
        arm(settings, [(f"after-{number}", now_ms()) for number in range(30)])
        await_fired(inbox, {f"after-{number}" for number in range(30)})


def test_the_older_of_two_with_one_instance_ends_and_says_why(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    with RunningProcess("timekeeper", settings) as older:
        older.await_ready()
        with RunningProcess("timekeeper", beside(settings, timekeeper_dir=tmp_path / "other")) as younger:
            assert older.wait() == exit_codes.CONFIGURATION, older.errors
            assert "ORC-INSTANCE: " in older.errors
            younger.await_ready()


def test_a_directory_of_another_cluster_or_topic_is_refused(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    with RunningProcess("timekeeper", settings) as timekeeper:
        timekeeper.await_ready()
    with RunningProcess("timekeeper", site(kafka, tmp_path)) as refused:
        assert refused.wait() == exit_codes.STATE
    assert "ORC-STATE-FOREIGN: " in refused.errors
    assert "TIMEKEEPER_DIR" in refused.errors or "timekeeper" in refused.errors


def test_a_hundred_thousand_at_once_are_fired_while_it_stays_a_member(kafka: Kafka, tmp_path: Path) -> None:
    settings = site(kafka, tmp_path)
    number = 100_000
    due = now_ms()
    for begin in range(0, number, 10_000):
        arm(settings, [(f"batch-{one:06}", due + one // 100) for one in range(begin, begin + 10_000)])
    # Nothing is fired before all are read: then all are due.
    with RunningProcess("timekeeper", settings) as timekeeper, Log(settings, Topic.INBOX) as inbox:
        joined = False

        def all_fired() -> bool:
            nonlocal joined
            member = bool(timekeeper.report().get("assigned"))
            assert member or not joined, "it stays a member while it fires"
            joined = member
            for _ in range(20):
                inbox.look()
            return len(inbox.records) >= number

        await_that(all_fired, "all are in the inbox", 3 * PATIENCE_S)
        assert len(set(deadlines(inbox.records))) == number
