"""What is made of answers about committed offsets that a cluster gives only now and then."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError

from runtime.kafka import committed_offsets
from runtime.kafka.committed_offsets import CommittedOffsets
from schemas.errors import BrokerError


class Answer(NamedTuple):
    offset: int
    error: KafkaError | None = None
    topic: str = "t"
    partition: int = 0


class Scripted:
    """A consumer that gives one answer after the other."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = deque(answers)

    def committed(self, _asked: object, timeout: float) -> list[Answer]:  # noqa: ARG002  (the library's signature)
        return [self.answers.popleft()]


def read(monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> dict[Any, int]:
    monkeypatch.setattr(committed_offsets, "Consumer", lambda _: Scripted(answers))
    return CommittedOffsets({"bootstrap.servers": "kafka-1:9092"}, "g", timeout_s=60).read([("t", 0)])


def test_an_offset_that_cannot_be_read_does_not_look_as_if_none_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerError, match="committed offsets of group g"):
        read(monkeypatch, Answer(-1001, KafkaError(KafkaError.UNKNOWN)))


def test_a_coordinator_that_comes_up_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = Answer(-1001, KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS))
    assert read(monkeypatch, loading, Answer(7)) == {("t", 0): 7}
    assert read(monkeypatch, Answer(-1001)) == {}
