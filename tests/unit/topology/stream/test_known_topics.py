from collections.abc import Iterable, Sequence
from typing import Any

from topology.stream.known_topics import KnownTopics
from topology.stream.library import TopicConfig


class Cluster:
    """A cluster with the topic `there`; it notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        self.asked.append("partitions")
        return {topic: 4 for topic in topics if topic == "there"}

    def replica_counts(self, topics: Iterable[str]) -> dict[str, int]:
        self.asked.append("replicas")
        return dict.fromkeys(topics, 3)

    def topic_configs(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        self.asked.append("settings")
        return {topic: {"retention.ms": "1"} for topic in topics}


def test_everything_is_asked_for_once_and_nothing_before_the_library_asks() -> None:
    cluster: Any = Cluster()
    known = KnownTopics(cluster, ["there", "gone"])
    assert cluster.asked == []
    assert known.inspect_topics(["there"]) == {
        "there": TopicConfig(num_partitions=4, replication_factor=3, extra_config={"retention.ms": "1"})
    }
    assert known.inspect_topics(["gone", "other"]) == {"gone": None, "other": None}
    assert cluster.asked == ["partitions", "replicas", "settings"]
