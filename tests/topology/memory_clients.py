# ruff: noqa: ARG002  (signatures are the library's)
"""The confluent-kafka clients over a cluster in memory, as far as the stream library uses them.

Every step that a client takes can be the process's last: `Fate` counts them and ends the process at one.
"""

from collections.abc import Callable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaError, TopicPartition

from tests.topology.memory_kafka import Entry, MemoryKafka, Partition


class Died(BaseException):
    """The process was killed here. It is no Exception, so that no code handles it."""


class Fate:
    """Counts the steps of one process, and ends it before the step `dies_at` (from 0)."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.steps: list[str] = []
        self.dead = False
        self._dies_at = dies_at

    def step(self, name: str) -> None:
        if self.dead:
            raise Died(name)
        if self._dies_at == len(self.steps):
            self.dead = True
            raise Died(name)
        self.steps.append(name)


class MemoryMessage:
    """A record as confluent-kafka returns it, or an error in place of one."""

    def __init__(self, at: Partition, offset: int, entry: Entry, error: KafkaError | None = None) -> None:
        self._at, self._offset, self._entry, self._error = at, offset, entry, error

    def topic(self) -> str:
        return self._at[0]

    def partition(self) -> int:
        return self._at[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._entry.key

    def value(self) -> bytes | None:
        return self._entry.value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return list(self._entry.headers) or None

    def timestamp(self) -> tuple[int, int]:
        return 2, self._entry.time_ms

    def leader_epoch(self) -> int:
        return 0

    def error(self) -> KafkaError | None:
        return self._error

    def __len__(self) -> int:
        return len(self._entry.value or b"")


class MemoryProducer:
    """A `confluent_kafka.Producer`. Records reach the log as they are produced."""

    def __init__(self, kafka: MemoryKafka, fate: Fate, name: str | None) -> None:
        self._kafka, self._fate, self._name = kafka, fate, name
        self._epoch = 0
        self._reports: list[tuple[Callable[..., None], MemoryMessage]] = []
        self.room: int | None = None
        """Number of records that fit its queue until `poll` is called."""
        self.rejected: str | None = None
        """Topic whose records the broker does not accept."""
        self.waits = 0
        """Number of polls that had to make room."""

    def init_transactions(self) -> None:
        assert self._name
        self._epoch = self._kafka.init_transactions(self._name)

    def begin_transaction(self) -> None:
        self._fate.step("begin")
        self._kafka.begin(self._own)

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        partition: int | None = None,
        headers: Any = (),
        timestamp: int = 0,
        on_delivery: Callable[..., None] = lambda *_: None,
    ) -> None:
        if self.room is not None and len(self._reports) >= self.room:
            raise BufferError
        self._fate.step(f"produce {topic}")
        pairs = headers.items() if isinstance(headers, dict) else headers
        frozen = tuple((name, value if isinstance(value, bytes) else str(value).encode()) for name, value in pairs)
        at = (topic, self._kafka.partition_of(topic, key) if partition is None else partition)
        entry, offset = self._kafka.append(at, key, value, frozen)
        if self._name is not None:
            entry.state = "open"
            self._kafka.transaction(self._own).entries.append((at, entry))
        self._reports.append((on_delivery, MemoryMessage(at, offset, entry)))

    def poll(self, timeout: float = 0) -> int:
        reports, self._reports = self._reports, []
        self.waits += timeout > 0
        for report, message in reports:
            report(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if message.topic() == self.rejected else None, message)
        return len(reports)

    def flush(self, timeout: float = -1) -> int:
        if self._fate.dead:
            return 0  # the library's clean-up, which a dead process does not get to
        self._fate.step("flush")
        self.poll()
        return 0

    def send_offsets_to_transaction(self, positions: list[TopicPartition], group: str, _timeout: float) -> None:
        self._fate.step("send offsets")
        offsets = {(group, at.topic, at.partition): at.offset for at in positions}
        self._kafka.transaction(self._own).offsets.update(offsets)

    def commit_transaction(self, _timeout: float) -> None:
        self._fate.step("commit")
        self._kafka.end(self._own, "committed")
        self._fate.step("learn of the commit")

    def abort_transaction(self, _timeout: float) -> None:
        if not self._fate.dead:
            self._kafka.end(self._own, "aborted")

    @property
    def _own(self) -> str:
        assert self._name
        assert not self._kafka.fenced(self._name, self._epoch), "fenced"
        return self._name


class MemoryConsumer:
    """A `confluent_kafka.Consumer` that reads committed; it is given all partitions of its topics.

    `on_idle` is called by a poll that finds nothing more to read on partitions that are not paused.
    """

    def __init__(self, kafka: MemoryKafka, fate: Fate, group: str, on_idle: Callable[[], None]) -> None:
        self._kafka, self._fate, self._group, self._on_idle = kafka, fate, group, on_idle
        self._topics: list[str] = []
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._joined = False
        self.rebalances = 0
        """Number of rebalance callbacks that were called."""
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self.lose_at: int | None = None
        """Number of records after which the partitions are lost; the next poll assigns them again."""
        self.on_loss: Callable[[], None] = lambda: None
        self.revoke_at: int | None = None
        """Number of records after which the partitions are taken away; the next poll assigns them again."""
        self.keeps_stale = False
        """Whether `consume` returns, after a rebalance, what it had collected before; librdkafka never does."""
        self.error_at: int | None = None
        """Number of records after which the next message reports that its offset is out of range."""
        self._given = 0

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self._topics, self._callbacks = topics, callbacks

    def poll(self, timeout: float = -1) -> MemoryMessage | None:
        if not self._joined:
            self._joined = True
            self.rebalances += 1
            self._callbacks["on_assign"](self, self._all())
            return None
        if self.lose_at is not None and self._given == self.lose_at:
            self.lose_at, self._joined = None, False
            self.rebalances += 1
            self.on_loss()
            self._callbacks["on_lost"](self, self._all())
            return None
        if self.revoke_at == self._given:
            self.revoke_at, self._joined = None, False
            self.rebalances += 1
            self._callbacks["on_revoke"](self, self._all())
            self._positions = {}
            return None
        if self.error_at == self._given:
            self.error_at = None
            at = (self._topics[0], 0)
            return MemoryMessage(at, 7, Entry(None, None, (), 0), KafkaError(KafkaError._AUTO_OFFSET_RESET))
        for at in self._positions:
            if at not in self._paused and (message := self._next(at)) is not None:
                self._given += at[0] == self._topics[0]
                return message
        if not all(at in self._paused for at in self._positions if at[0] == self._topics[0]):
            self._on_idle()
        return None

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[MemoryMessage]:
        """Return what is there; what was collected before a rebalance is dropped, as librdkafka does."""
        messages: list[MemoryMessage] = []
        while len(messages) < num_messages and not (messages and self._given == self.lose_at):
            rebalances, message = self.rebalances, self.poll(timeout)
            if rebalances != self.rebalances:
                if self.keeps_stale and messages:
                    break
                messages.clear()
            elif message is None:
                break
            else:
                messages.append(message)
        return messages

    def _next(self, at: Partition) -> MemoryMessage | None:
        end = self._kafka.stable_end(at)
        while (offset := self._positions[at]) < end:
            self._positions[at] += 1
            entry = self._kafka.logs[at][offset]
            if entry.state == "committed":
                return MemoryMessage(at, offset, entry)
        return None

    def _all(self) -> list[TopicPartition]:
        counts = self._kafka.partition_counts(self._topics)
        return [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._positions = {
            (at.topic, at.partition): max(self._kafka.offsets.get((self._group, at.topic, at.partition), 0), 0)
            for at in partitions
        }
        self._paused.clear()

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic, number in self._positions]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self._paused |= {(at.topic, at.partition) for at in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._paused -= {(at.topic, at.partition) for at in partitions}

    def seek(self, at: TopicPartition) -> None:
        self._positions[at.topic, at.partition] = 0 if at.offset == OFFSET_BEGINNING else at.offset

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(at.topic, at.partition, self._positions[at.topic, at.partition]) for at in partitions]

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        offsets = self._kafka.offsets
        return [
            TopicPartition(at.topic, at.partition, offsets.get((self._group, at.topic, at.partition), OFFSET_INVALID))
            for at in partitions
        ]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        self._fate.step("commit offsets")
        self._kafka.offsets.update({(self._group, at.topic, at.partition): at.offset for at in offsets})
        return offsets

    def get_watermark_offsets(
        self, at: TopicPartition, timeout: float = -1, *, cached: bool = False
    ) -> tuple[int, int]:
        return 0, self._kafka.stable_end((at.topic, at.partition))

    def consumer_group_metadata(self) -> str:
        return self._group

    def close(self) -> None:
        if self._joined and not self._fate.dead:
            self._callbacks["on_revoke"](self, self._all())
