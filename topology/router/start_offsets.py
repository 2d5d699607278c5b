"""Where the router begins when its group has no committed offset: a decision, made once and then committed."""

from collections.abc import Mapping
from datetime import UTC, datetime

from runtime.kafka.admin import REQUEST_TIMEOUT_S, KafkaAdmin, Partition
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.settings import Settings
from schemas.errors import Code, ConfigurationError

_UNSET = "unset"


def claim_start(cluster: KafkaAdmin, settings: Settings, inputs: Mapping[str, int]) -> str | None:
    """Commit where the router's group begins on its `inputs` (real name: partitions), unless it has begun before.

    Committed at once, because a router that ends before its first commit would otherwise be taken for a first start.
    Returns where it begins, or None where the group has committed offsets already: topics that appear later are then
    read from their beginning.

    Raises:
        ConfigurationError: ROUTER_START is unset and there are records (`ORC-ROUTER-START`).
        BrokerError: the cluster does not answer.
    """
    partitions = [(topic, number) for topic, count in inputs.items() for number in range(count)]
    with CommittedOffsets(settings.kafka(), settings.router_group, timeout_s=REQUEST_TIMEOUT_S) as committed:
        if committed.read(partitions):
            return None
        committed.commit(_begin(cluster, settings, partitions))
    return settings.router_start or _UNSET


def _begin(cluster: KafkaAdmin, settings: Settings, partitions: list[Partition]) -> Mapping[Partition, int]:
    earliest = cluster.log_starts(partitions)
    latest = cluster.log_ends(partitions, committed=False)
    start = settings.router_start or _UNSET
    if start == _UNSET:
        _refuse_records(settings.router_group, earliest, latest)
    if start == "latest":
        return latest
    if start in {"earliest", _UNSET}:
        return earliest
    moment = datetime.fromisoformat(start)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    found = cluster.offsets_since(partitions, int(moment.timestamp() * 1000))
    return {at: offset if offset >= 0 else latest[at] for at, offset in found.items()}


def _refuse_records(group: str, earliest: Mapping[Partition, int], latest: Mapping[Partition, int]) -> None:
    filled = sorted({topic for (topic, number), end in latest.items() if end > earliest[topic, number]})
    if filled:
        raise ConfigurationError(
            f"Group {group} has no committed offset, and there are records on {', '.join(filled)}: where to begin is "
            "a decision.",
            next_step="Set ROUTER_START to earliest (read everything that is there), latest (only what comes from now "
            "on) or an ISO 8601 time (what came since, for example when the service before was stopped).",
            code=Code.ROUTER_START,
        )
