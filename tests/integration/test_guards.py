"""The guards on a real Kafka, where it can be brought to show what they are for."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from cli.broker import Kafka
from runtime import exit_codes
from schemas.errors import OrchestratorError
from schemas.internal.records import decode_history
from schemas.topics import Topic
from tests.integration.hanging_transaction import hang
from tests.integration.orchestrating import NO_COMMIT, PATIENCE_S, Site, await_true
from tests.topology.records import life, record, register, uuid_of
from topology.topics import provisioning

BATCH = uuid_of("batch")


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with Site(kafka, tmp_path) as made:
        yield made


def put_life(site: Site, batch_id: str) -> None:
    [(_, version)] = site.put(record(batch_id, register(batch_id)))
    site.put(*life(batch_id, version)[1:])


def decided(site: Site) -> int:
    return len(site.read(Topic.HISTORY))


def is_empty(site: Site) -> bool:
    """Whether the group has no member left; not while its coordinator cannot tell."""
    group = site.settings.orchestrator_group
    asked = site.admin.describe_consumer_groups([group], request_timeout=PATIENCE_S)[group]
    return asked.exception() is None and not asked.result().members


def stopped_after_a_life(site: Site) -> None:
    put_life(site, BATCH)
    process = site.start()
    await_true(lambda: decided(site) == 4, "everything decided")
    process.signal(signal.SIGTERM)
    assert process.ended() == exit_codes.OK


def test_h1_a_process_that_was_paused_past_its_session_leaves_without_committing(site: Site) -> None:
    # The commit is due long after the pause: without the guard it would come under the new generation.
    process = site.start(beyond=NO_COMMIT)
    await_true(lambda: min(site.committed().values()) >= 0, "partitions claimed")
    put_life(site, BATCH)
    await_true(
        lambda: len(site.read(Topic.HISTORY, isolation="read_uncommitted")) == 4, "everything in an open transaction"
    )
    process.signal(signal.SIGSTOP)
    await_true(lambda: is_empty(site), "the group has dropped the member that does not answer")
    process.signal(signal.SIGCONT)
    assert process.ended() == exit_codes.LOST
    assert "ORC-PARTITIONS-LOST" in process.log()
    assert decided(site) == 0
    site.start()
    await_true(lambda: decided(site) == 4, "everything decided after the restart")
    assert len(site.await_records(1, Topic.SPELLCHECK_COMMAND)) == 1


def test_h2_a_transaction_of_its_own_that_hangs_is_ended(site: Site) -> None:
    stopped_after_a_life(site)
    owner = f"{site.settings.orchestrator_group}-{site.settings.instance}"
    hang(site.settings.kafka_bootstrap_servers, owner, site.table.changelog, 0)
    process = site.start()
    put_life(site, uuid_of("next"))
    await_true(lambda: decided(site) == 8, "the next batch decided")
    assert "seems to hang" in process.log()


def test_h3_forgotten_offsets_are_refused_and_what_is_said_to_do_helps(site: Site) -> None:
    stopped_after_a_life(site)
    await_true(
        lambda: (
            site.admin.delete_consumer_groups([site.settings.orchestrator_group])[
                site.settings.orchestrator_group
            ].exception()
            is None
        ),
        "the group's offsets gone",
    )
    process = site.start("other")
    assert process.ended() == exit_codes.STATE
    assert "ORC-STATE-OFFSETS-LOST" in process.log()
    assert "Next step:" in process.log()
    assert decided(site) == 4
    told = [decode_history(message.value()) for message in site.read(Topic.HISTORY)]
    site.commit({one.partition: one.offset + 1 for one in told})
    site.start("other")
    put_life(site, uuid_of("next"))
    await_true(lambda: decided(site) == 8, "the next batch decided")


def test_h3_offsets_behind_the_state_are_refused_and_what_is_said_to_do_helps(site: Site) -> None:
    stopped_after_a_life(site)
    site.commit(dict.fromkeys(range(site.table.partitions), 0))
    process = site.start()
    assert process.ended() == exit_codes.STATE
    assert "ORC-STATE-AHEAD" in process.log()
    assert decided(site) == 4
    told = [decode_history(message.value()) for message in site.read(Topic.HISTORY)]
    site.commit({one.partition: one.offset + 1 for one in told})
    site.start()
    put_life(site, uuid_of("next"))
    await_true(lambda: decided(site) == 8, "the next batch decided")


def test_inbox_records_that_retention_removed_unread_are_told(site: Site) -> None:
    stopped_after_a_life(site)
    [(partition, first), *_] = [place for number in range(3) for place in site.put(record(BATCH, register(BATCH)))]
    at = TopicPartition(site.table.name(Topic.INBOX), partition, first + 2)
    site.admin.delete_records([at])[at].result(PATIENCE_S)
    process = site.start()
    assert process.ended() == exit_codes.STATE
    assert "ORC-STATE-INPUT-LOST" in process.log()
    assert f"offsets {first} to {first + 1} of {at.topic}[{partition}]" in process.log()


def test_an_offset_beyond_the_end_of_the_inbox_is_told(site: Site) -> None:
    stopped_after_a_life(site)
    site.commit(dict.fromkeys(range(site.table.partitions), 500))
    process = site.start()
    assert process.ended() == exit_codes.STATE
    assert "ORC-STATE-INPUT-REPLACED" in process.log()


def test_an_inbox_that_is_made_again_while_it_is_read_is_told(site: Site) -> None:
    process = site.start(topic_check_interval_s=0.5)
    put_life(site, BATCH)
    await_true(lambda: decided(site) == 4, "everything decided")
    inbox = site.table.name(Topic.INBOX)
    site.admin.delete_topics([inbox])[inbox].result(PATIENCE_S)

    def made_again() -> bool:
        with suppress(OrchestratorError):
            provisioning.apply(site.settings, create_peer_topics=True)
        return inbox in site.admin.list_topics(timeout=PATIENCE_S).topics

    await_true(made_again, "the inbox is made again")
    assert process.ended() in {exit_codes.RESTART, exit_codes.STATE, exit_codes.TOPIC}
    again = site.start()
    assert again.ended() == exit_codes.STATE
    assert "ORC-STATE-FOREIGN" in again.log()
    without_its_directory = site.start("other")
    assert without_its_directory.ended() == exit_codes.STATE
    assert "ORC-STATE-OFFSETS-LOST" in without_its_directory.log() or "REPLACED" in without_its_directory.log()
    assert decided(site) == 4


def test_at_least_once_is_a_setting(site: Site) -> None:
    process = site.start(processing_guarantee="at-least-once")
    put_life(site, BATCH)
    await_true(lambda: decided(site) == 4, "everything decided")
    process.kill()
    again = site.start(processing_guarantee="at-least-once")
    put_life(site, uuid_of("next"))
    await_true(lambda: len(site.read(Topic.COMPLETED)) >= 2, "the next batch too")
    found = Counter((message.key(), message.value()) for message in site.read(Topic.COMPLETED))
    assert len(found) == 2
    again.signal(signal.SIGTERM)
    assert again.ended() == exit_codes.OK
