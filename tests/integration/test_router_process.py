"""The router's life as a process, on a real Kafka: its first start, its stops, and why it does not start."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from cli.broker import Kafka
from cli.supervision.ports import free_port
from runtime import exit_codes
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.settings import Settings
from schemas.topics import ROUTER_INPUTS, Topic
from tests.integration.processes import (
    Log,
    RunningProcess,
    own_settings,
    provisioned,
    ready_event,
    send,
)
from tests.patience import PATIENCE_S, await_that
from topology.topics import provisioning

READY = Topic.ESSAYS_READY


def started(settings: Settings) -> RunningProcess:
    return RunningProcess("router", settings)


def committed(settings: Settings) -> int:
    """Records that the router's group has committed, over all inputs."""
    table = settings.topics()
    places = [(table.name(topic), number) for topic in ROUTER_INPUTS for number in range(table.peer_partitions)]
    with CommittedOffsets(settings.kafka(), settings.router_group, timeout_s=PATIENCE_S) as offsets:
        return sum(offsets.read(places).values())


def test_a_stop_under_load_loses_and_repeats_nothing(kafka: Kafka) -> None:
    settings = provisioned(kafka)
    batches = [str(uuid4()) for _ in range(3_000)]
    send(settings, READY, [{"value": ready_event(batch)} for batch in batches[:1_500]])
    with started(settings) as process, Log(settings, Topic.INBOX) as inbox:
        inbox.read(100)
        process.terminate()
        assert process.wait() == exit_codes.OK, process.errors
        send(settings, READY, [{"value": ready_event(batch)} for batch in batches[1_500:]])
        with started(settings) as successor:
            keys = [message.key() for message in inbox.read(len(batches))]
            await_that(lambda: committed(settings) == len(batches), "everything is committed")
            successor.terminate()
            assert successor.wait() == exit_codes.OK
    assert sorted(keys) == sorted(batch.encode() for batch in batches)
    assert len(inbox.records) == len(batches)


def test_a_killed_router_loses_nothing(kafka: Kafka) -> None:
    settings = provisioned(kafka)
    batches = [str(uuid4()) for _ in range(2_000)]
    send(settings, READY, [{"value": ready_event(batch)} for batch in batches])
    with started(settings) as process, Log(settings, Topic.INBOX) as inbox:
        inbox.read(100)
        process.kill()
        process.wait()
        with started(settings):
            await_that(lambda: committed(settings) == len(batches), "everything is committed")
            wanted = {batch.encode() for batch in batches}

            def all_there() -> bool:
                inbox.look()
                return {message.key() for message in inbox.records} == wanted

            await_that(all_there, "every batch is in the inbox")


def test_routers_that_join_and_leave_under_load_lose_and_repeat_nothing(kafka: Kafka) -> None:
    settings = provisioned(kafka)
    other = settings.model_copy(update={"instance": "1", "metrics_port": free_port()})
    batches = [str(uuid4()) for _ in range(6_000)]
    values = [{"value": ready_event(batch)} for batch in batches]
    send(settings, READY, values[:2_000])
    with started(settings) as process, Log(settings, Topic.INBOX) as inbox:
        inbox.read(100)
        with started(other) as joins:  # all partitions are taken away from the first one, and shared
            send(settings, READY, values[2_000:4_000])
            joins.await_ready()
            send(settings, READY, values[4_000:])
            joins.terminate()
            assert joins.wait() == exit_codes.OK, joins.errors
        keys = [message.key() for message in inbox.read(len(batches))]
        await_that(lambda: committed(settings) == len(batches), "everything is committed")
        process.terminate()
        assert process.wait() == exit_codes.OK, process.errors
        inbox.look()
    assert sorted(keys) == sorted(batch.encode() for batch in batches)
    assert len(inbox.records) == len(batches)


def test_a_first_start_on_records_wants_to_be_told_where_to_begin(kafka: Kafka) -> None:
    settings = provisioned(kafka, router_start=None)
    send(settings, READY, [{"value": ready_event(str(uuid4()))}])
    with started(settings) as process:
        assert process.wait() == exit_codes.CONFIGURATION
    assert "ORC-ROUTER-START" in process.errors
    assert settings.topics().name(READY) in process.errors.splitlines()[-1]
    assert "ROUTER_START to earliest" in process.errors.splitlines()[-1]


def test_a_first_start_on_empty_topics_needs_no_decision(kafka: Kafka) -> None:
    settings = provisioned(kafka, router_start=None)
    with started(settings) as process:
        process.await_ready()
        process.kill()
        process.wait()
    batch_id = str(uuid4())
    send(settings, READY, [{"value": ready_event(batch_id)}])
    with started(settings), Log(settings, Topic.INBOX) as inbox:
        assert inbox.read(1)[0].key() == batch_id.encode(), "the start was claimed, so this is no first start"


def test_the_router_begins_where_it_is_told(kafka: Kafka) -> None:
    old, later, last = (str(uuid4()) for _ in range(3))
    since = datetime.fromtimestamp(1_600_000_000, UTC).isoformat()
    for start, expected in {"latest": [last], since: [later, last]}.items():
        settings = provisioned(kafka, router_start=start)
        send(settings, READY, [{"value": ready_event(old), "partition": 0, "timestamp": 1_000_000_000_000}])
        send(settings, READY, [{"value": ready_event(later), "partition": 0, "timestamp": 1_700_000_000_000}])
        with started(settings) as process, Log(settings, Topic.INBOX) as inbox:
            process.await_ready()
            send(settings, READY, [{"value": ready_event(last), "partition": 0}])
            keys = [message.key() for message in inbox.read(len(expected))]
            assert sorted(keys) == sorted(batch.encode() for batch in expected)


def test_defect_48_a_topic_that_appears_later_is_read_then(kafka: Kafka) -> None:
    settings = own_settings(kafka)
    provisioning.apply(settings)
    table = settings.topics()
    with started(settings) as process:
        process.await_ready()
        assert process.report()["partitions"] == 3 * settings.topic_partitions
        admin = AdminClient(settings.kafka())
        name = table.name(READY)
        admin.create_topics([NewTopic(name, num_partitions=2)])[name].result()
        assert process.wait() == exit_codes.RESTART
    assert f"Topics appeared: {name}." in process.errors
    batch_id = str(uuid4())
    send(settings, READY, [{"value": ready_event(batch_id)}])
    with started(settings), Log(settings, Topic.INBOX) as inbox:
        assert inbox.read(1)[0].key() == batch_id.encode()


def test_defect_48_a_start_before_the_own_topics_exist_fails_clearly(kafka: Kafka) -> None:
    settings = own_settings(kafka)
    with started(settings) as process:
        assert process.wait() == exit_codes.TOPIC
    assert "router: ORC-TOPIC-MISSING" in process.errors
    assert "bos topics apply" in process.errors


def test_the_router_leaves_when_partitions_are_added(kafka: Kafka) -> None:
    settings = provisioned(kafka)
    inbox, admin = settings.topics().name(Topic.INBOX), AdminClient(settings.kafka())
    with started(settings) as process:
        process.await_ready()
        admin.create_partitions([NewPartitions(inbox, 6)])[inbox].result()
        assert process.wait() == exit_codes.RESTART
    with started(settings) as process:
        assert process.wait() == exit_codes.TOPIC
    assert f"{inbox}: It has 6 partitions, not 3." in process.errors


def test_start_failures_have_their_codes(kafka: Kafka) -> None:
    address = f"127.0.0.1:{free_port()}"
    failures: list[tuple[dict[str, Any], int, str]] = [
        ({"kafka_bootstrap_servers": address, "startup_timeout_s": 1}, exit_codes.BROKER, "ORC-BROKER"),
        ({"max_input_bytes": 7_000_000}, exit_codes.CONFIGURATION, "ORC-CONFIG"),
        ({"pipelines_file": "nowhere.toml"}, exit_codes.CONFIGURATION, "ORC-PIPELINE"),
        ({"default_phases": "dancing"}, exit_codes.CONFIGURATION, "ORC-CONFIG"),
    ]
    for given, code, name in failures:
        with started(own_settings(kafka).model_copy(update=given, deep=False)) as process:
            assert process.wait() == code, process.errors
        assert f"router: {name}: " in process.errors
        assert "Next step:" in process.errors.splitlines()[-1]
