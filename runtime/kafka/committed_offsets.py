"""Committed offsets of a group, read and set through a consumer that does not join the group.

The admin client is not used: with it librdkafka (issue 5040, open) crashes the process while the group's coordinator
moves or starts, as it does just after the start of a cluster.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime.kafka.admin import Partition
from runtime.kafka.clients import client_properties
from runtime.kafka.errors import COORDINATOR_MOVES, kafka_failure

_TRANSIENT = COORDINATOR_MOVES | {
    KafkaError.UNSTABLE_OFFSET_COMMIT,  # an open transaction holds offsets of the group
    KafkaError.UNKNOWN_MEMBER_ID,  # a static member that has stopped stays until its session ends
    KafkaError._WAIT_COORD,  # noqa: SLF001 - the library's public name for a local error
    KafkaError._TRANSPORT,  # noqa: SLF001
}
_RETRY_S = 0.1
_Answer = TypeVar("_Answer")


def answered(partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
    """Return a group's answer about partitions.

    Raises `KafkaException` where the answer about one of them is an error: the client raises only where all failed, and
    an offset that could not be read would be taken for one that was never committed.
    """
    for at in partitions:
        if at.error is not None:
            raise KafkaException(at.error)
    return partitions


class CommittedOffsets:
    """The committed offsets of one group; a context manager, or closed by `close`.

    Methods raise `BrokerError` if the cluster does not answer within `timeout_s` seconds.
    """

    def __init__(self, kafka: Mapping[str, Any], group: str, *, timeout_s: float) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._group = group
        self._timeout_s = timeout_s
        self._consumer = Consumer(client_properties(kafka, {"group.id": group, "enable.auto.commit": False}))

    def read(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the next offset of each partition that has one committed."""
        asked = [TopicPartition(topic, number) for topic, number in partitions]
        found = self._once_coordinated(lambda: answered(self._consumer.committed(asked, timeout=self._timeout_s)))
        return {(at.topic, at.partition): at.offset for at in found if at.offset >= 0}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit offsets for a group without members; waits until members that have just stopped are removed."""
        given = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        self._once_coordinated(lambda: answered(self._consumer.commit(offsets=given, asynchronous=False) or ()))

    def _once_coordinated(self, ask: Callable[[], _Answer]) -> _Answer:
        """Send a request, with retries while the group's coordinator starts."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].code() not in _TRANSIENT or time.monotonic() > deadline:
                    asked = f"the committed offsets of group {self._group}"
                    raise kafka_failure(error, address=self._address, asked=asked) from error
                time.sleep(_RETRY_S)

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
