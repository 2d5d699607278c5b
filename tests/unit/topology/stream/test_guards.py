"""A group's answer about one partition that is an error is never taken for a partition without an offset."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, TopicPartition

from schemas.errors import StateError
from topology.stream.guards import claim, claim_offsets

UNREADABLE: Any = SimpleNamespace(
    topic="inbox", partition=0, offset=OFFSET_INVALID, error=KafkaError(KafkaError.NOT_COORDINATOR)
)
"""An answer with an error; `confluent_kafka.TopicPartition` has no way to set one."""


class Member:
    """A consumer whose every answer about partitions is `UNREADABLE`."""

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:  # noqa: ARG002
        return [UNREADABLE]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:  # noqa: ARG002
        return [UNREADABLE]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:  # noqa: ARG002
        return 0, 0


def test_an_offset_that_cannot_be_read_ends_the_start() -> None:
    cluster: Any = None  # is not asked
    with pytest.raises(StateError, match="ORC-STATE-OFFSETS-UNREAD"):
        claim_offsets(Member(), cluster, [TopicPartition("inbox", 0)], "changelog")


def test_a_claim_that_was_not_committed_ends_the_start() -> None:
    with pytest.raises(StateError, match="ORC-STATE-OFFSETS-UNREAD"):
        claim(Member(), [TopicPartition("inbox", 0, 0)])
