"""Creating and checking topics on a real Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from cli.broker import DevBroker, Kafka
from cli.supervision.ports import free_port
from runtime.kafka.admin import KafkaAdmin
from runtime.settings import Settings
from schemas.errors import BrokerError, TopicError
from schemas.topics import PEER_INPUTS, PEER_OUTPUTS, Topic
from tests.integration.processes import own_settings
from tests.patience import await_that
from topology.topics import provisioning
from topology.topics.deployed import deployed_topics
from topology.topics.drift import ActualTopic

EXAMPLE = Path(__file__).parents[2] / "examples" / "pipelines.toml"
Alter = Callable[[Topic, str, str], None]


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    return own_settings(kafka)


@pytest.fixture(scope="module")
def created(kafka: Kafka) -> tuple[Settings, list[str]]:
    """All topics as `apply` creates them, and what it said. Nothing here may be changed."""
    settings = own_settings(kafka)
    return settings, provisioning.apply(settings, create_peer_topics=True)


@pytest.fixture(scope="module")
def own_alone(kafka: Kafka) -> tuple[Settings, list[str]]:
    """The own topics as `apply` creates them, and what it said. Nothing here may be changed."""
    settings = own_settings(kafka)
    return settings, provisioning.apply(settings)


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return AdminClient(settings.kafka())


@pytest.fixture
def alter(admin: AdminClient, settings: Settings) -> Alter:
    def alter(topic: Topic, name: str, value: str) -> None:
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, settings.topics().name(topic), incremental_configs=[entry])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result()
        # Acknowledged by the controller; the broker knows of it a moment later.
        await_that(lambda: actual(topic).config[name] == value, f"{topic} has {name}={value}")

    def actual(topic: Topic) -> ActualTopic:
        return provisioning.survey(KafkaAdmin(settings.kafka()), settings.topics())[settings.topics().name(topic)]

    return alter


def names(settings: Settings, *topics: Topic) -> list[str]:
    return [settings.topics().name(topic) for topic in topics]


def test_a_plan_says_what_would_be_created_and_changes_nothing(settings: Settings) -> None:
    own = [spec for spec in settings.topics().specs() if spec.owner == "own"]
    for _ in range(2):
        lines = provisioning.plan(settings)
        assert [line.split()[1] for line in lines if line.startswith("create ")] == [spec.name for spec in own]
    everything = provisioning.plan(settings, create_peer_topics=True)
    assert len([line for line in everything if line.startswith("create ")]) == len(settings.topics().specs())


def test_what_is_created_passes_the_check(created: tuple[Settings, list[str]]) -> None:
    settings, lines = created
    assert len(lines) == len(settings.topics().specs())
    assert provisioning.check(settings) == []
    assert provisioning.plan(settings, create_peer_topics=True) == []


def test_the_topics_of_generic_commands_come_from_the_pipeline_file(created: tuple[Settings, list[str]]) -> None:
    settings = created[0].model_copy(update={"pipelines_file": EXAMPLE})
    wanted = [spec.name for spec in deployed_topics(settings).specs() if spec.name not in _names(created[0])]
    assert len(wanted) == 5
    assert [line.split()[1] for line in provisioning.plan(settings)] == wanted
    with pytest.raises(TopicError) as caught:
        provisioning.check(settings)
    assert all(name in caught.value.message for name in wanted)
    assert provisioning.check(settings, outputs=False) == [], "a process that writes no commands does not need them"
    assert [line.split()[1] for line in provisioning.apply(settings)] == wanted
    assert provisioning.check(settings) == []


def _names(settings: Settings) -> set[str]:
    return {spec.name for spec in settings.topics().specs()}


def test_creating_again_changes_nothing(created: tuple[Settings, list[str]]) -> None:
    assert provisioning.apply(created[0], create_peer_topics=True) == []


def test_the_changelog_is_created_with_its_size(created: tuple[Settings, list[str]]) -> None:
    settings = created[0]
    sizes = KafkaAdmin(settings.kafka()).max_message_bytes([settings.topics().changelog])
    assert sizes == {settings.topics().changelog: settings.max_state_bytes}


def test_peers_topics_are_left_to_peers(own_alone: tuple[Settings, list[str]]) -> None:
    settings, lines = own_alone
    assert not any(f"created {name} " in line for name in names(settings, *PEER_INPUTS) for line in lines)
    warnings = provisioning.check(settings, outputs=False)
    assert [line.split(":")[0] for line in warnings] == names(settings, *PEER_INPUTS)


def test_an_output_without_a_topic_stops_the_orchestrator(own_alone: tuple[Settings, list[str]]) -> None:
    settings, _ = own_alone
    with pytest.raises(TopicError, match="cannot be published") as caught:
        provisioning.check(settings)
    assert all(name in caught.value.message for name in names(settings, *PEER_OUTPUTS))
    assert caught.value.code == "ORC-TOPIC-MISSING"


def test_defect_48_missing_topics_are_told_before_anything_starts(settings: Settings) -> None:
    with pytest.raises(TopicError, match="bos topics apply") as caught:
        provisioning.check(settings, outputs=False)
    assert caught.value.code == "ORC-TOPIC-MISSING"
    assert all(name in caught.value.message for name in names(settings, Topic.INBOX, Topic.REQUESTS))


def test_every_difference_is_told_at_once_and_exactly(settings: Settings, alter: Alter, admin: AdminClient) -> None:
    provisioning.apply(settings, create_peer_topics=True)
    changed = [
        (Topic.INBOX, "cleanup.policy", "compact"),
        (Topic.INBOX, "retention.ms", "3600000"),
        (Topic.STATUS, "delete.retention.ms", "1000"),
        (Topic.HISTORY, "segment.ms", "3600000"),
        (Topic.DEAD_LETTERS, "max.message.bytes", "1000000"),
        (Topic.REQUESTS, "message.timestamp.type", "CreateTime"),
        (Topic.INBOX, "retention.bytes", "1000000"),
        (Topic.STATUS, "unclean.leader.election.enable", "true"),
    ]
    for topic, name, value in changed:
        alter(topic, name, value)
    inbox = settings.topics().name(Topic.INBOX)
    admin.create_partitions([NewPartitions(inbox, 5)])[inbox].result()
    await_that(
        lambda: provisioning.survey(KafkaAdmin(settings.kafka()), settings.topics())[inbox].partitions == 5,
        "the partitions are there",
    )
    specs = {spec.name: spec.config() | spec.durability() for spec in settings.topics().specs()}
    for call in (provisioning.check, provisioning.apply):
        with pytest.raises(TopicError) as caught:
            call(settings)
        told = caught.value.message
        assert caught.value.code == "ORC-TOPIC"
        assert told.count("\n  - ") == len(changed) + 1
        assert f"{inbox}: It has 5 partitions, not 3." in told
        for topic, name, value in changed:
            real = settings.topics().name(topic)
            assert f"{real}: {name} is {value}, not {specs[real][name]}." in told
            assert f"--entity-name {real} --add-config {name}={specs[real][name]}" in told


def test_in_sync_replicas_that_do_not_fit_the_replicas_stop_a_start(settings: Settings, alter: Alter) -> None:
    provisioning.apply(settings, create_peer_topics=True)
    alter(Topic.INBOX, "min.insync.replicas", "2")
    with pytest.raises(TopicError, match=r"min.insync.replicas is 2 with 1 replicas: nothing can be written"):
        provisioning.check(settings)
    alter(Topic.INBOX, "min.insync.replicas", "1")
    assert provisioning.check(settings) == []


def test_fewer_replicas_than_are_set_stop_a_start(settings: Settings) -> None:
    provisioning.apply(settings, create_peer_topics=True)
    asked_for = settings.model_copy(update={"topic_replication": 2})
    with pytest.raises(TopicError, match="It has 1 replicas, not 2"):
        provisioning.check(asked_for)


def test_peers_topics_are_taken_as_they_are_with_a_warning(settings: Settings, admin: AdminClient) -> None:
    command, ready = names(settings, Topic.SPELLCHECK_COMMAND, Topic.ESSAYS_READY)
    peers = [
        NewTopic(command, num_partitions=1, config={"max.message.bytes": "1048588", "cleanup.policy": "compact"}),
        NewTopic(ready, num_partitions=7, config={"max.message.bytes": "9000000"}),
    ]
    for future in admin.create_topics(peers).values():
        future.result()
    provisioning.apply(settings, create_peer_topics=True)
    too_small, too_large = sorted(provisioning.check(settings), key=lambda line: ready in line)
    assert too_small.startswith(f"{command}: max.message.bytes is 1048588, below 4194304")
    assert too_large.startswith(f"{ready}: max.message.bytes is 9000000, above 4194304")


def test_a_topic_that_cannot_be_created_is_told(kafka: Kafka) -> None:
    settings = own_settings(kafka, topic_replication=9)
    with pytest.raises(TopicError, match=r"cannot be created.*[Rr]eplication"):
        provisioning.apply(settings)


@pytest.mark.parametrize("call", [provisioning.plan, provisioning.apply, provisioning.check])
def test_a_broker_that_is_not_there_is_named_soon(kafka: Kafka, call: Callable[[Settings], Any]) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = own_settings(kafka, kafka_bootstrap_servers=address, startup_timeout_s=1)
    with pytest.raises(BrokerError, match=f"No Kafka broker answers at {address} within 1 s"):
        call(settings)


def test_topics_are_judged_only_when_every_broker_shows_them() -> None:
    with DevBroker(brokers=3) as brokers:
        for _ in range(3):  # the brokers learn of a creation at different moments
            settings = own_settings(brokers, topic_replication=3)
            done = provisioning.apply(settings, create_peer_topics=True)
            assert not [line for line in done if line.startswith("error")]
            assert provisioning.check(settings) == []
