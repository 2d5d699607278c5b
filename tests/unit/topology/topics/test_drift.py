from collections.abc import Mapping

from schemas.topics import PEER_OUTPUTS, Topic, TopicTable
from topology.topics.drift import ActualTopic, Difference, differences

TABLE = TopicTable(prefix="p")


def cluster(**changed: str) -> dict[str, ActualTopic]:
    """A cluster with every topic as it must be, with `changed` settings on the inbox."""
    topics = {spec.name: ActualTopic(spec.partitions, spec.config()) for spec in TABLE.specs()}
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


def test_settings_that_the_table_does_not_name_are_free() -> None:
    assert found(cluster(min_insync_replicas="2")) == []


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
