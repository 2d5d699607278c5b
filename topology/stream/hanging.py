"""Ends transactions that hang on partitions although their producer has none open any more.

A broker can take a record of a transaction after the transaction has ended: requests that it received before it froze,
or before a partition moved. Nobody commits or aborts that record, so the last stable offset stays before it for ever.
Kafka ends it with the next marker that the same producer id gets on that partition.
"""

from collections.abc import Sequence
from typing import Any

from runtime.kafka.admin import Partition

TIMEOUT_S = 10.0
"""Seconds that each of the two steps may take."""
_NO_KEY = b"-"


def end_hanging(producer: Any, partitions: Sequence[Partition]) -> None:
    """Abort a record on each of the partitions, so that they get a marker of the producer's id.

    `producer` is a confluent-kafka producer with an open transaction that holds nothing yet. It has another afterwards.

    Raises:
        KafkaException: a record cannot be written, or the transaction cannot be aborted.
    """
    for topic, partition in partitions:
        producer.produce(topic, b"", _NO_KEY, partition)
    producer.flush(TIMEOUT_S)
    producer.abort_transaction(TIMEOUT_S)
    producer.begin_transaction()
