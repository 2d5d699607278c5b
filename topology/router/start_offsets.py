"""Where the router begins when its group has no committed offset: a decision, made once and then committed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.settings import Settings
from schemas.errors import BrokerError, ConfigurationError

_REQUEST_TIMEOUT_S = 6.0
_UNSET = "unset"


def claim_start(admin: AdminClient, settings: Settings, inputs: Mapping[str, int]) -> str | None:
    """Commit where the router's group begins on its `inputs` (real name: partitions), unless it has begun before.

    Committed at once, because a router that ends before its first commit would otherwise be taken for a first start.
    Returns where it begins, or None where the group has committed offsets already: topics that appear later are then
    read from their beginning.

    Raises:
        ConfigurationError: ROUTER_START is unset and there are records (`ORC-ROUTER-START`).
        BrokerError: the cluster does not answer.
    """
    partitions = [TopicPartition(topic, number) for topic, count in inputs.items() for number in range(count)]
    with CommittedOffsets(settings.kafka(), settings.router_group, timeout_s=_REQUEST_TIMEOUT_S) as committed:
        try:
            if committed.read((at.topic, at.partition) for at in partitions):
                return None
            begin = _begin(admin, settings, partitions)
            committed.commit(begin)
        except KafkaException as error:
            raise _broker_unreachable(error) from error
    return settings.router_start or _UNSET


def _begin(admin: AdminClient, settings: Settings, partitions: list[TopicPartition]) -> Mapping[tuple[str, int], int]:
    earliest = _offsets(admin, partitions, OffsetSpec.earliest())
    latest = _offsets(admin, partitions, OffsetSpec.latest())
    start = settings.router_start or _UNSET
    if start == _UNSET:
        _refuse_records(settings.router_group, earliest, latest)
    if start == "latest":
        return latest
    if start in {"earliest", _UNSET}:
        return earliest
    moment = datetime.fromisoformat(start)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    found = _offsets(admin, partitions, OffsetSpec.for_timestamp(int(moment.timestamp() * 1000)))
    return {at: offset if offset >= 0 else latest[at] for at, offset in found.items()}


def _offsets(admin: AdminClient, partitions: list[TopicPartition], spec: Any) -> dict[tuple[str, int], int]:
    asked = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=_REQUEST_TIMEOUT_S)
    return {(at.topic, at.partition): int(_answer(future).offset) for at, future in asked.items()}


def _refuse_records(group: str, earliest: Mapping[tuple[str, int], int], latest: Mapping[tuple[str, int], int]) -> None:
    filled = sorted({topic for (topic, number), end in latest.items() if end > earliest[topic, number]})
    if filled:
        raise ConfigurationError(
            f"Group {group} has no committed offset, and there are records on {', '.join(filled)}: where to begin is "
            "a decision.",
            next_step="Set ROUTER_START to earliest (read everything that is there), latest (only what comes from now "
            "on) or an ISO 8601 time (what came since, for example when the service before was stopped).",
            code="ORC-ROUTER-START",
        )


def _answer(future: Any) -> Any:
    try:
        return future.result(_REQUEST_TIMEOUT_S)
    except KafkaException as error:
        raise _broker_unreachable(error) from error


def _broker_unreachable(error: KafkaException) -> BrokerError:
    return BrokerError(
        f"Kafka cannot tell or set the router's offsets: {error.args[0].str()}.",
        next_step="Look at the cluster's brokers and at this client's rights on its group, then start it again.",
    )
