"""What the watch takes for a change."""

from collections.abc import Iterable

import pytest

from topology.topics.partition_watch import PartitionWatch


class Cluster:
    """Topics by name: partitions and id."""

    def __init__(self, **topics: tuple[int, str]) -> None:
        self.topics = topics

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {topic: self.topics[topic][1] for topic in topics if topic in self.topics}

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return {topic: self.topics[topic][0] for topic in topics if topic in self.topics}


def seen(**topics: tuple[int, str]) -> str | None:
    watch = PartitionWatch(
        Cluster(**topics),
        expected={"a": 2},
        ids={"a": "first"},
        missing=["b"],
        interval_s=1,
        on_change=lambda _: None,
    )
    return watch.check()


def test_what_stays_as_it_was_is_no_change() -> None:
    assert seen(a=(2, "first"), c=(1, "other")) is None


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ({"a": (3, "first")}, "Topic a had 2 partitions and has 3."),
        ({}, "Topic a had 2 partitions and has 0."),
        ({"a": (2, "second")}, "Topic a was deleted and created again."),
        ({"a": (2, "first"), "b": (1, "new")}, "Topics appeared: b."),
    ],
)
def test_each_change_is_told(topics: dict[str, tuple[int, str]], said: str) -> None:
    assert seen(**topics) == said
