"""What a process without state does with the records that its consume loop reads."""

from collections.abc import Sequence
from typing import Protocol

from confluent_kafka import Message

from topology.stream.crash_guard import Verdict


class Send(Protocol):
    """Hands an output to the producer; waits while its queue is full."""

    def __call__(
        self, topic: str, value: bytes | None, key: bytes, headers: list[tuple[str, bytes]], time_ms: int
    ) -> None:
        """Write a record to the topic of this real name."""


class Work(Protocol):
    """Processes records in their order. When it returns, all its outputs are sent."""

    def __call__(self, messages: Sequence[Message], send: Send, verdict: Verdict) -> None:
        """Process `messages`; `verdict` is about a single one, while a crash guard has records processed one by one."""
