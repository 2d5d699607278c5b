"""The durable record that the router's group has started, on a compacted topic of its own.

Kafka forgets committed offsets after seven days without a member, so they cannot distinguish a first start from
lost offsets. The record stays, and holds the ids of the topics to which the offsets belong.
"""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas.errors import BrokerError
from schemas.internal.codec import encode
from schemas.internal.group_starts import GroupStart, decode_group_start

TIMEOUT_S = 30.0
"""Timeout for reading or writing the record, in seconds."""
_PARTITION = 0
_POLL_S = 0.2


def read_start(kafka: Mapping[str, Any], topic: str, group: str) -> GroupStart | None:
    """Return the newest record of `group` on `topic`; None if the group has never started.

    Raises:
        BrokerError: the cluster does not answer.
        NewerRecord: a newer version of the product wrote it.
    """
    config = {
        **kafka,
        "group.id": f"{group}-starts",  # librdkafka requires a name; nothing is joined or committed
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
    consumer = Consumer(config)
    try:
        values = _values(consumer, topic, group.encode())
    except KafkaException as error:
        raise _unreachable(topic, error.args[0].str()) from error
    finally:
        consumer.close()
    return decode_group_start(values[-1]) if values else None


def _values(consumer: Consumer, topic: str, key: bytes) -> list[bytes]:
    at = TopicPartition(topic, _PARTITION)
    first, end = consumer.get_watermark_offsets(at, timeout=TIMEOUT_S)
    at.offset = first
    consumer.assign([at])
    values = []
    deadline = time.monotonic() + TIMEOUT_S
    while first < end:
        if time.monotonic() > deadline:
            raise _unreachable(topic, f"its end was not reached within {TIMEOUT_S:.0f} s")
        message = consumer.poll(_POLL_S)
        if message is None:
            continue
        error = message.error()
        if error is not None:
            if error.code() == error._PARTITION_EOF:  # noqa: SLF001 - the library's public name for it
                break
            raise KafkaException(error)
        if message.key() == key and (value := message.value()) is not None:
            values.append(value)
    return values


def write_start(kafka: Mapping[str, Any], topic: str, start: GroupStart) -> None:
    """Write the record of a group; returns when all in-sync replicas have it.

    Raises:
        BrokerError: the cluster does not take it.
    """
    failed: list[str] = []
    producer = Producer({**kafka, "acks": "all", "enable.idempotence": True, "message.timeout.ms": TIMEOUT_S * 1_000})
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
