# ruff: noqa: ARG002  (signatures are the client's)
"""Clients in memory for the plain consume loop: batches, answers to commits, and every trouble a client can have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.topology.memory_clients import Fate, MemoryConsumer, MemoryMessage, MemoryProducer
from tests.topology.memory_kafka import Entry, MemoryKafka, Partition

END = KafkaError._PARTITION_EOF
GROUP = "routers"


class ErrorMessage(MemoryMessage):
    """What a consume call returns in place of a record."""

    def __init__(self, at: Partition, offset: int, code: int) -> None:
        super().__init__(at, offset, Entry(None, None, (), 0))
        self._code = code

    def error(self) -> KafkaError:
        return KafkaError(self._code, "a reason")


@dataclass
class Trouble:
    """What goes wrong for the clients of one process."""

    inside: dict[int, Callable[["LoopConsumer"], None]] = field(default_factory=dict)
    """Called within a consume call, once so many records were given and those of the call are taken."""
    error_at: tuple[int, int] | None = None
    """After so many records a consume call returns an error of this code behind a record."""
    room: int | None = None
    """Records that the producer's queue takes before somebody polls."""
    refused: Mapping[bytes, int] = field(default_factory=dict)
    """Error codes of outputs that are not delivered, by their keys."""
    refused_at_once: bool = False
    """Whether produce itself raises those errors."""
    commit_errors: list[int] = field(default_factory=list)
    """Error codes of the next commits in the background."""
    late: bool = False
    """Deliveries are reported at a flush only."""


class LoopConsumer(MemoryConsumer):
    """A consumer of the loop; a call returns records of all partitions, and their ends."""

    def __init__(self, kafka: MemoryKafka, fate: Fate, trouble: Trouble, more: Mapping[str, Any], idle: Any) -> None:
        super().__init__(kafka, fate, GROUP, lambda: None)
        self._trouble, self._on_commit, self._idle = trouble, more["on_commit"], idle
        self._on_fatal = more["error_cb"]
        self._answers: list[tuple[KafkaError | None, list[TopicPartition]]] = []
        self._ended: set[Partition] = set()
        self.given = 0
        self.assignments = 0
        self.owned: set[Partition] | None = None
        """The partitions that the group gives this member; None for all."""

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        while self._answers:
            self._on_commit(*self._answers.pop(0))
        if not self._joined:
            self._joined = True
            self._callbacks["on_assign"](self, self.mine())
        found: list[Any] = []
        for at in list(self._positions):
            while len(found) < num_messages and at in self._positions and (message := self._next(at)) is not None:
                found.append(message)
                self._ended.discard(at)
                self.given += 1
                self._interrupt(found)
            if len(found) < num_messages and at in self._positions and at not in self._ended:
                self._ended.add(at)
                found.append(ErrorMessage(at, self._kafka.stable_end(at), END))
        if not found and timeout and not self._answers:
            self._idle()
        return found

    def _interrupt(self, found: list[Any]) -> None:
        if self._trouble.error_at is not None and self.given == self._trouble.error_at[0]:
            found.append(ErrorMessage((found[-1].topic(), 0), found[-1].offset(), self._trouble.error_at[1]))
        happens = self._trouble.inside.pop(self.given, None)
        if happens is not None:
            happens(self)

    def mine(self) -> list[TopicPartition]:
        return [at for at in self._all() if self.owned is None or (at.topic, at.partition) in self.owned]

    def rebalance(self, owned: set[Partition] | None = None, between: Callable[[], None] = lambda: None) -> None:
        """Take all partitions away, and give `owned` back; `between` is what another member does meanwhile."""
        self._callbacks["on_revoke"](self, self.mine())
        self._positions = {}
        between()
        self.owned = owned
        self._callbacks["on_assign"](self, self.mine())

    def lose(self) -> None:
        self._callbacks["on_lost"](self, self.mine())

    def fail(self, error: KafkaError) -> None:
        self._on_fatal(error)

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assignments += 1
        self._ended.clear()
        super().assign(partitions)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        if not asynchronous:
            return super().commit(offsets=offsets, asynchronous=False)
        if self._trouble.commit_errors:
            self._answers.append((KafkaError(self._trouble.commit_errors.pop(0)), offsets))
            return None
        super().commit(offsets=offsets, asynchronous=True)
        self._answers.append((None, offsets))
        return None

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        return SimpleNamespace(brokers={}, topics={})


class LoopProducer(MemoryProducer):
    """A producer of the loop. A refused record never reaches the log."""

    def __init__(self, kafka: MemoryKafka, fate: Fate, trouble: Trouble) -> None:
        super().__init__(kafka, fate, None)
        self._trouble = trouble
        self._refused: list[tuple[Callable[..., None], KafkaError, MemoryMessage]] = []

    def produce(self, topic: str, value: bytes | None, key: bytes | None, **more: Any) -> None:
        if self._trouble.room is not None and len(self._reports) >= self._trouble.room:
            raise BufferError
        code = self._trouble.refused.get(key or b"")
        if code is None:
            super().produce(topic, value, key, **more)
            return
        if self._trouble.refused_at_once:
            raise KafkaException(KafkaError(code))
        message = MemoryMessage((topic, 0), 0, Entry(key, value, (), 0))
        self._refused.append((more["on_delivery"], KafkaError(code), message))

    def poll(self, timeout: float = 0) -> int:
        if self._trouble.late:
            return 0
        return self._report()

    def flush(self, timeout: float = -1) -> int:
        if not self._fate.dead:
            self._fate.step("flush")
            self._report()
        return 0

    def _report(self) -> int:
        refused, self._refused = self._refused, []
        for report, error, message in refused:
            report(error, message)
        return super().poll()

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        return SimpleNamespace(brokers={}, topics={})


class LoopClients:
    """Makes the clients of one process (`topology.stream.plain_loop.Clients`)."""

    def __init__(self, kafka: MemoryKafka, fate: Fate, trouble: Trouble) -> None:
        self._kafka, self._fate, self._trouble = kafka, fate, trouble
        self.stop: Callable[[], None] = lambda: None
        """Called when there is nothing more to read."""
        self.consumer: LoopConsumer | None = None

    def make_consumer(self, more: Mapping[str, Any]) -> LoopConsumer:
        self.consumer = LoopConsumer(self._kafka, self._fate, self._trouble, more, self.stop)
        return self.consumer

    def make_producer(self) -> LoopProducer:
        return LoopProducer(self._kafka, self._fate, self._trouble)
