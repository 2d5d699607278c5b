"""One table of names; the sizes form a ladder; ids are plain UUIDv5."""

from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ids
from schemas.errors import ConfigurationError
from schemas.limits import Limits
from schemas.topics import (
    DAY_MS,
    PEER_INPUTS,
    PEER_OUTPUTS,
    PHASE_COMMANDS,
    RETENTION_MS,
    ROUTER_INPUTS,
    Topic,
    TopicTable,
)


@pytest.mark.parametrize("prefix", ["huleedu", "school", "a.b"])
@pytest.mark.parametrize("topic", Topic)
def test_a_name_and_its_topic_belong_together(prefix: str, topic: Topic) -> None:
    table = TopicTable(prefix=prefix)
    assert table.topic(table.name(topic)) is topic
    assert table.name(topic).startswith(f"{prefix}.")


def test_a_foreign_name_is_no_topic() -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        TopicTable().topic("elsewhere")


def test_every_topic_has_one_specification_and_the_changelog_too() -> None:
    names = [spec.name for spec in TopicTable(prefix="school").specs()]
    assert sorted(names) == sorted(
        [*(f"school{topic.value[7:]}" for topic in Topic), TopicTable(prefix="school").changelog]
    )


def test_topics_from_which_a_repeat_can_come_are_stamped_by_the_broker() -> None:
    specs = {spec.name: spec for spec in TopicTable().specs()}
    for topic in (Topic.REQUESTS, Topic.REPLAY, Topic.INBOX):
        assert specs[topic].config()["message.timestamp.type"] == "LogAppendTime"


def test_the_retention_is_that_of_every_topic_keyed_by_batch() -> None:
    table = TopicTable(retention_ms=10_000)
    keyed = [spec for spec in table.specs() if spec.owner == "own" and spec.name != table.name(Topic.PROCESSES)]
    assert {(spec.retention_ms, spec.segment_ms) for spec in keyed} == {(10_000, 10_000)}


@pytest.mark.parametrize(
    ("retention_ms", "kept_ms"), [(RETENTION_MS, RETENTION_MS + 2 * DAY_MS), (2 * DAY_MS, 4 * DAY_MS), (5_000, 15_000)]
)
def test_a_registration_can_be_read_until_its_segment_has_gone(retention_ms: int, kept_ms: int) -> None:
    assert TopicTable(retention_ms=retention_ms).registrations_kept_ms == kept_ms


def test_every_phase_that_peers_know_has_a_command_of_its_own() -> None:
    assert len(set(PHASE_COMMANDS.values())) == len(PHASE_COMMANDS)
    assert set(PHASE_COMMANDS.values()) <= set(PEER_OUTPUTS)
    assert not set(PEER_OUTPUTS) & set(ROUTER_INPUTS)
    assert set(PEER_INPUTS) < set(ROUTER_INPUTS)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(input_bytes=7 * 2**20),
        Limits(inbox_bytes=9 * 2**20),
        Limits(dead_letter_bytes=6 * 2**20),
        Limits(essays=0),
    ],
)
def test_a_broken_ladder_of_sizes_is_refused(limits: Limits) -> None:
    with pytest.raises(ConfigurationError):
        limits.check()


def test_the_shipped_ladder_stands() -> None:
    Limits().check()


@given(st.text(st.characters(codec="utf-8")))
def test_a_derived_id_is_a_plain_uuid5(name: str) -> None:
    assert ids.derived_id(name) == str(uuid5(ids.NAMESPACE, name))
