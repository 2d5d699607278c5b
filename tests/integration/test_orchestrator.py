"""The orchestrator's process on a real Kafka."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions

from cli.broker import Kafka
from runtime import exit_codes
from schemas.internal.enums import Disposition
from schemas.internal.processes import ProcessState
from schemas.internal.records import decode_history, decode_process
from schemas.topics import PEER_OUTPUTS, Topic
from tests.integration.orchestrating import NO_COMMIT, PATIENCE_S, Site, await_true
from tests.topology.records import life, record, register, uuid_of

BATCH = uuid_of("batch")
BOTH_PATHS = pytest.mark.parametrize("path", ["own", "library"])


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with Site(kafka, tmp_path) as made:
        yield made


def told(site: Site) -> list[Disposition]:
    return [decode_history(message.value()).disposition for message in site.read(Topic.HISTORY)]


def put_life(site: Site, batch_id: str) -> None:
    [(_, version)] = site.put(record(batch_id, register(batch_id)))
    site.put(*life(batch_id, version)[1:])


def test_a_batch_is_decided_from_registration_to_completion(site: Site) -> None:
    put_life(site, BATCH)
    process = site.start()
    await_true(lambda: len(told(site)) == 4, "four history records")
    assert told(site) == [Disposition.APPLIED] * 4
    completed = site.await_records(1, Topic.COMPLETED)
    assert [message.key() for message in completed] == [BATCH.encode()]
    headers = dict(completed[0].headers() or [])
    assert set(headers) == {"event_id", "event_type", "correlation_id", "traceparent"}
    process.signal(signal.SIGTERM)
    assert process.ended() == exit_codes.OK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_commits_what_is_in_flight_and_ends_with_0(site: Site, number: signal.Signals) -> None:
    process = site.start(beyond=NO_COMMIT)
    await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed")
    put_life(site, BATCH)
    await_true(lambda: len(site.read(Topic.HISTORY, isolation="read_uncommitted")) == 4, "everything decided")
    assert not told(site)
    process.signal(number)
    assert process.ended() == exit_codes.OK
    assert len(site.await_records(4, Topic.HISTORY)) == 4


def test_a_stop_during_the_start_is_not_lost(site: Site) -> None:
    process = site.start()
    await_true(lambda: "starting" in process.log(), "its first words")
    process.signal(signal.SIGTERM)
    assert process.ended() == exit_codes.OK


@BOTH_PATHS
def test_a_kill_in_an_open_transaction_loses_and_doubles_nothing(site: Site, path: str) -> None:
    process = site.start(beyond=NO_COMMIT, message_path=path)
    await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed")
    put_life(site, BATCH)
    uncommitted = await_true(
        lambda: site.read(Topic.SPELLCHECK_COMMAND, isolation="read_uncommitted"), "a command in an open transaction"
    )
    assert not site.read(Topic.SPELLCHECK_COMMAND)
    process.kill()
    site.start(message_path=path)
    await_true(lambda: len(told(site)) == 4, "four history records after the restart")
    [command] = site.await_records(1, Topic.SPELLCHECK_COMMAND)
    assert command.value() == uncommitted[0].value(), "peers that read uncommitted saw another command"
    assert command.headers() == uncommitted[0].headers()
    assert command.offset() > uncommitted[0].offset()
    assert Counter(told(site)) == {Disposition.APPLIED: 4}


def shares(site: Site) -> list[int]:
    """Return how many inbox partitions each orchestrator has, as it reports itself."""
    newest = {message.key(): decode_process(message.value()) for message in site.read(Topic.PROCESSES)}
    inbox = site.table.name(Topic.INBOX)
    running = [one for one in newest.values() if one.state is ProcessState.RUNNING and one.assigned]
    return [sum(at.topic == inbox for at in one.positions) for one in running]


@BOTH_PATHS
def test_two_instances_share_the_partitions_and_a_third_joins_and_leaves_under_load(site: Site, path: str) -> None:
    site.start("a", message_path=path)
    site.start("b", message_path=path)
    await_true(lambda: shares(site) == [1, 1], "one partition each")
    batch_ids = [uuid_of(f"shared {number}") for number in range(40)]
    for batch_id in batch_ids[:20]:
        put_life(site, batch_id)
    third = site.start("c", message_path=path)
    await_true(lambda: sorted(shares(site)) == [0, 1, 1], "a third member")
    for batch_id in batch_ids[20:30]:
        put_life(site, batch_id)
    third.signal(signal.SIGTERM)
    assert third.ended() == exit_codes.OK, third.log()
    for batch_id in batch_ids[30:]:
        put_life(site, batch_id)
    await_true(lambda: len(told(site)) >= 4 * len(batch_ids), "all decided")
    history = site.read(Topic.HISTORY)
    assert {message.partition() for message in history} == {0, 1}
    assert Counter(told(site)) == {Disposition.APPLIED: 4 * len(batch_ids)}
    count = 4 * len(batch_ids)
    published = Counter((message.topic(), message.key()) for message in site.await_records(count, *PEER_OUTPUTS))
    assert set(published.values()) == {1}
    assert len(published) == count


def test_added_partitions_end_the_process(site: Site) -> None:
    process = site.start(topic_check_interval_s=0.5)
    await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed")
    inbox = site.table.name(Topic.INBOX)
    site.admin.create_partitions([NewPartitions(inbox, 3)])[inbox].result(PATIENCE_S)
    assert process.ended() == exit_codes.RESTART
    assert site.start().ended() == exit_codes.TOPIC


def test_a_second_process_on_the_same_directory_is_refused(site: Site) -> None:
    site.start()
    await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed")
    second = site.start("1", state_dir=site.settings.state_dir)
    assert second.ended() == exit_codes.STATE
    assert "ORC-STATE-LOCKED" in second.log()


def limit_history(site: Site, size: str | None) -> None:
    """Set the largest record batch that the history topic accepts, or set it back."""
    operation = AlterConfigOpType.DELETE if size is None else AlterConfigOpType.SET
    change = ConfigEntry("max.message.bytes", size or "", incremental_operation=operation)
    name = site.table.name(Topic.HISTORY)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[change])
    for done in site.admin.incremental_alter_configs([resource]).values():
        done.result(PATIENCE_S)


@BOTH_PATHS
def test_an_output_that_the_broker_refuses_fails_the_commit_and_comes_after_the_restart(site: Site, path: str) -> None:
    process = site.start(message_path=path)
    await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed")
    limit_history(site, "100")  # after the process has read how large its records may be
    batch_ids: list[str] = []

    def refused() -> bool:
        if process.alive:
            batch_ids.append(uuid_of(f"refused {len(batch_ids)}"))
            put_life(site, batch_ids[-1])
        return not process.alive

    await_true(refused, "the process ends")
    assert process.ended() != exit_codes.OK
    assert "size too large" in process.log()
    assert len(site.read(Topic.STATUS)) == len(told(site)), "a part of the records was committed"
    limit_history(site, None)
    site.start(message_path=path)
    await_true(lambda: len(told(site)) >= 4 * len(batch_ids), "all decided")
    assert Counter(told(site)) == {Disposition.APPLIED: 4 * len(batch_ids)}
    completed = site.await_records(len(batch_ids), Topic.COMPLETED)
    assert sorted(message.key() for message in completed) == sorted(one.encode() for one in batch_ids)
