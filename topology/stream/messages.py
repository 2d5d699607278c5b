"""Sorts what a consume call returns: records, ends of partitions, and errors."""

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message

from runtime.kafka.admin import Partition
from topology.stream.guards import offset_out_of_range, topic_gone

PassedEnd = Callable[[str, int, int], None]
"""Called with topic, partition and offset at the end of a partition."""


def sort_messages(messages: Sequence[Message], passed: PassedEnd) -> tuple[list[Message], dict[Partition, int]]:
    """Return the records, and the offset that each partition has been read to.

    Consumers skip transaction markers, so the offset after the last record would stay before the end of a partition,
    and once retention has passed it, unread records would seem to be lost: an end that is reached counts as read.

    Raises:
        StateError: the next record is not there any more.
        TopicError: a topic was deleted.
        KafkaException: any other error, a fenced consumer among them.
    """
    records, ends = [], {}
    for message in messages:
        error = message.error()
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if error is None:
            records.append(message)
            ends[topic, partition] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name for it
            if offset > 0:
                ends[topic, partition] = offset
            passed(topic, partition, offset)
        else:
            raise _failure(error, message)
    return records, ends


def _failure(error: KafkaError, message: Message) -> Exception:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the library's public name for it
        return offset_out_of_range(topic, partition, offset, error.str())
    return topic_gone(topic) if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART else KafkaException(error)
