"""The durable record that the router's group has started, on a compacted topic of its own.

Kafka forgets committed offsets after seven days without a member, so they cannot distinguish a first start from
lost offsets. The record stays, and holds the ids of the topics to which the offsets belong.
"""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Producer

from runtime.kafka.clients import client_properties
from runtime.kafka.partition_reader import read_to_ends
from schemas.errors import BrokerError, OrchestratorError, TopicError
from schemas.internal.codec import encode
from schemas.internal.group_starts import GroupStart, decode_group_start

TIMEOUT_S = 30.0
"""Timeout for reading or writing the record, in seconds."""
_PARTITION = 0


def read_start(kafka: Mapping[str, Any], topic: str, group: str) -> GroupStart | None:
    """Return the newest record of `group` on `topic`; None if the group has never started.

    Raises:
        BrokerError: the cluster does not answer.
        RecordFormatError: a newer or an older version of the product wrote it, in a format that is not read.
    """
    try:
        records = list(read_to_ends(kafka, (topic,), group=f"{group}-starts", timeout_s=TIMEOUT_S))
    except (BrokerError, TopicError, TimeoutError) as error:
        raise _unreachable(topic, error.message if isinstance(error, OrchestratorError) else str(error)) from error
    values = [record.value for record in records if record.key == group.encode() and record.value is not None]
    return decode_group_start(values[-1]) if values else None


def write_start(kafka: Mapping[str, Any], topic: str, start: GroupStart) -> None:
    """Write the record of a group; returns when all in-sync replicas have it.

    Raises:
        BrokerError: the cluster does not take it.
    """
    failed: list[str] = []
    written = {"acks": "all", "enable.idempotence": True, "message.timeout.ms": TIMEOUT_S * 1_000}
    producer = Producer(client_properties(kafka, written))
    producer.produce(
        topic,
        key=start.group.encode(),
        value=encode(start),
        partition=_PARTITION,
        on_delivery=lambda error, _: failed.append(error.str()) if error is not None else None,
    )
    left = producer.flush(TIMEOUT_S + 5)
    if failed or left:
        raise _unreachable(topic, failed[0] if failed else "nothing was acknowledged")


def _unreachable(topic: str, reason: str) -> BrokerError:
    return BrokerError(
        f"The record of the router's start on {topic} cannot be read or written: {reason}.",
        next_step=f"Check the cluster's brokers and this client's rights on {topic}, then start it again.",
    )
