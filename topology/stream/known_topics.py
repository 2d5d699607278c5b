"""What the stream library asks about topics at a start, answered from requests of the product's own client.

The library asks for each topic by itself, twice, with an admin client of its own. With thirteen topics that takes most
of a second, and a client whose broker freezes meanwhile can wait for 30 s although the broker answers again.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from runtime.kafka.admin import ClusterFacts
from topology.stream.library import TopicAdmin, TopicConfig


class KnownTopics(TopicAdmin):
    """Answers for the topics `names`; all are asked for when the library asks for the first one."""

    def __init__(self, cluster: ClusterFacts, names: Sequence[str]) -> None:
        self._cluster = cluster
        self._names = names

    def inspect_topics(self, topic_names: list[str], timeout: float = 30) -> dict[str, TopicConfig | None]:
        """Return partitions, replicas and settings of topics; None for one that is missing."""
        del timeout
        return {name: self._found.get(name) for name in topic_names}

    @cached_property
    def _found(self) -> Mapping[str, TopicConfig]:
        partitions = self._cluster.partition_counts(self._names)
        replicas = self._cluster.replica_counts(partitions)
        settings = self._cluster.topic_configs(list(partitions))
        return {
            name: TopicConfig(
                num_partitions=count, replication_factor=replicas[name], extra_config=dict(settings[name])
            )
            for name, count in partitions.items()
        }
