from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from schemas.topics import PEER_OUTPUTS, Topic, TopicTable
from topology.topics.drift import ActualTopic, Difference, differences

TABLE = TopicTable(prefix="p")


def cluster(**changed: str) -> dict[str, ActualTopic]:
    """A cluster with every topic as it must be, with `changed` settings on the inbox."""
    topics = {spec.name: ActualTopic(spec.partitions, spec.config() | spec.durability()) for spec in TABLE.specs()}
    inbox = TABLE.name(Topic.INBOX)
    config = {**topics[inbox].config, **{name.replace("_", "."): value for name, value in changed.items()}}
    return {**topics, inbox: ActualTopic(topics[inbox].partitions, config)}


def found(actual: Mapping[str, ActualTopic]) -> list[Difference]:
    return differences(TABLE, actual)


def test_topics_as_they_must_be_differ_in_nothing() -> None:
    assert found(cluster()) == []


def test_a_larger_record_limit_is_no_difference_and_a_smaller_one_is() -> None:
    assert found(cluster(max_message_bytes="99000000")) == []
    (difference,) = found(cluster(max_message_bytes="1000"))
    assert difference.severity == "error"
    assert "max.message.bytes is 1000, not 6291456." in str(difference)


def test_a_setting_that_the_cluster_does_not_tell_is_a_difference() -> None:
    (difference,) = found(cluster(retention_ms=""))
    assert "retention.ms is unset" in str(difference)


@pytest.mark.parametrize("name", ["retention_ms", "segment_ms"])
def test_records_that_are_kept_for_longer_are_an_error(name: str) -> None:
    """A registration that outlives the stub of its batch would be registered a second time."""
    (difference,) = found(cluster(**{name: "9999999999"}))
    assert difference.severity == "error"


def test_settings_that_the_table_does_not_name_are_free() -> None:
    assert found(cluster(compression_type="zstd")) == []


def test_own_and_output_topics_must_be_there_and_input_topics_need_not() -> None:
    severities = {difference.topic: difference.severity for difference in found({})}
    outputs = {TABLE.name(topic) for topic in PEER_OUTPUTS}
    for spec in TABLE.specs():
        needed = spec.owner == "own" or spec.name in outputs
        assert severities[spec.name] == ("error" if needed else "warning")


def test_every_difference_says_what_to_do() -> None:
    assert all(difference.remedy.endswith(".") for difference in found({}))


def test_a_topic_whose_partitions_hold_no_state_can_be_made_again() -> None:
    reports, inbox = TABLE.name(Topic.PROCESSES), TABLE.name(Topic.INBOX)
    actual = cluster()
    changed = {name: ActualTopic(9, actual[name].config) for name in (reports, inbox)}
    remedies = {one.topic: one.remedy for one in found({**actual, **changed})}
    assert remedies[reports].startswith("Delete it")
    assert "TOPIC_PARTITIONS" in remedies[inbox]


def replicated(replicas: int, in_sync: int) -> dict[str, ActualTopic]:
    return {
        name: ActualTopic(topic.partitions, {**topic.config, "min.insync.replicas": str(in_sync)}, replicas)
        for name, topic in cluster().items()
    }


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, 1), (2, 1), (3, 2), (5, 2), (5, 3)])
def test_replicas_that_survive_a_broker_differ_in_nothing(replicas: int, in_sync: int) -> None:
    assert found(replicated(replicas, in_sync)) == []


@pytest.mark.parametrize(("replicas", "in_sync"), [(3, 1), (5, 1), (1, 2), (2, 3)])
def test_replicas_that_lose_what_was_acknowledged_or_take_nothing_are_an_error(replicas: int, in_sync: int) -> None:
    own = {spec.name for spec in TABLE.specs() if spec.owner == "own"}
    differing = found(replicated(replicas, in_sync))
    assert {one.topic for one in differing} == own
    assert {one.severity for one in differing} == {"error"}
    assert all(f"min.insync.replicas is {in_sync} with {replicas} replicas" in one.what for one in differing)


@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_that_take_nothing_while_a_broker_is_down_are_a_warning(replicas: int) -> None:
    assert {one.severity for one in found(replicated(replicas, replicas))} == {"warning"}


def test_fewer_replicas_than_were_asked_for_are_an_error_and_more_are_none() -> None:
    assert differences(TABLE, replicated(3, 2), replication=2) == []
    assert {one.severity for one in differences(TABLE, replicated(2, 1), replication=3)} == {"error"}


def test_own_topics_keep_records_by_time_alone_and_elect_no_leader_that_lacks_some() -> None:
    (size,) = found(cluster(retention_bytes="1000000"))
    assert size.severity == "error"
    assert "retention.bytes is 1000000, not -1." in size.what
    (election,) = found(cluster(unclean_leader_election_enable="true"))
    assert election.severity == "error"


def test_a_command_topic_may_have_more_partitions_but_not_fewer() -> None:
    table = replace(TABLE, commands=(TABLE.phase_command("grammar"),))
    spec = next(spec for spec in table.specs() if spec.name in table.commands)
    config = spec.config() | spec.durability()
    for partitions, number in ((spec.partitions - 1, 1), (spec.partitions, 0), (spec.partitions + 8, 0)):
        found = differences(table, {spec.name: ActualTopic(partitions=partitions, config=config)})
        assert len([one for one in found if one.topic == spec.name]) == number


def test_a_missing_command_topic_is_an_error() -> None:
    table = replace(TABLE, commands=(TABLE.phase_command("grammar"),))
    [found] = [one for one in differences(table, {}) if one.topic in table.commands]
    assert (found.severity, found.remedy) == ("error", "Run `bos topics apply`, which creates it.")
