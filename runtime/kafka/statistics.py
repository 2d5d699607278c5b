"""The assigned partitions in the statistics of a Kafka consumer (librdkafka's `stats_cb`)."""

from collections.abc import Mapping
from typing import Any

from runtime.kafka.admin import Partition


def assigned_partitions(statistics: Mapping[str, Any]) -> dict[Partition, Mapping[str, Any]]:
    """Return the statistics of each partition that the consumer fetches; `statistics` is the parsed JSON."""
    return {
        (name, int(number)): partition
        for name, topic in statistics.get("topics", {}).items()
        for number, partition in topic.get("partitions", {}).items()
        if int(number) >= 0 and partition.get("fetch_state") not in {"none", "stopping", "stopped"}
    }
