"""An answer about a group's offsets is taken only where every partition has one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError

from runtime.kafka.committed_offsets import CommittedOffsets
from schemas.errors import BrokerError

FIRST, SECOND = ("requests", 0), ("requests", 1)


@dataclass
class Answer:
    """What the client tells about a partition; `confluent_kafka.TopicPartition` has no way to set an error."""

    topic: str
    partition: int
    offset: int = OFFSET_INVALID
    error: KafkaError | None = None


class AnsweringConsumer:
    """Gives the answers that it was handed, one for each call, and the last one for ever."""

    def __init__(self, *answers: list[Answer]) -> None:
        self._answers = list(answers)

    def committed(self, _partitions: object, timeout: float) -> list[Answer]:  # noqa: ARG002 - the client's signature
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def commit(self, *, offsets: object, asynchronous: bool) -> list[Answer]:
        assert not asynchronous
        return self.committed(offsets, 0)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def asking() -> Iterator[Callable[..., CommittedOffsets]]:
    opened: list[CommittedOffsets] = []

    def make(*answers: list[Answer]) -> CommittedOffsets:
        offsets = CommittedOffsets({"bootstrap.servers": "127.0.0.1:9"}, "group", timeout_s=60)
        offsets.close()
        offsets._consumer = AnsweringConsumer(*answers)
        opened.append(offsets)
        return offsets

    yield make
    for offsets in opened:
        offsets.close()


def failed(code: int) -> list[Answer]:
    return [Answer(*FIRST, offset=7), Answer(*SECOND, error=KafkaError(code))]


def test_a_partition_whose_offset_cannot_be_read_is_not_taken_for_one_without(
    asking: Callable[..., CommittedOffsets],
) -> None:
    offsets = asking(failed(KafkaError.GROUP_AUTHORIZATION_FAILED))
    with pytest.raises(BrokerError, match="committed offsets of group group"):
        offsets.read([FIRST, SECOND])


def test_a_partition_whose_offset_is_not_committed_is_told(asking: Callable[..., CommittedOffsets]) -> None:
    offsets = asking(failed(KafkaError.OFFSET_METADATA_TOO_LARGE))
    with pytest.raises(BrokerError, match="committed offsets of group group"):
        offsets.commit({FIRST: 7, SECOND: 1})


@pytest.mark.parametrize("code", [KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.UNSTABLE_OFFSET_COMMIT])
def test_an_error_of_one_partition_that_passes_is_asked_again(
    asking: Callable[..., CommittedOffsets], code: int
) -> None:
    offsets = asking(failed(code), [Answer(*FIRST, offset=7), Answer(*SECOND, offset=3)])
    assert offsets.read([FIRST, SECOND]) == {FIRST: 7, SECOND: 3}
