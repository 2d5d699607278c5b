"""Which offsets of the inputs may be committed: those of records whose outputs are all delivered, in their order."""

from collections import deque
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka.admin import Partition
from schemas.errors import Code, OrchestratorError, TopicError

_NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the library's public names for local errors
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}


class Chunk:
    """Records that were read together. It is settled when every output of them is delivered."""

    __slots__ = ("_fail", "ends", "owed")

    def __init__(self, ends: dict[Partition, int], fail: Callable[[KafkaError, Message], None]) -> None:
        self.ends = ends
        """Offset after the last record of each partition."""
        self.owed = 0
        """Outputs that were handed to the producer and are not delivered yet."""
        self._fail = fail

    def reported(self, error: KafkaError | None, message: Message) -> None:
        """Take in a delivery report of one output. After a failed one the chunk is never settled."""
        if error is None:
            self.owed -= 1
        else:
            self._fail(error, message)


class Deliveries:
    """Keeps the chunks in the order in which they were read, and what of them is committed.

    A chunk's offsets may be committed when it and every chunk before it are settled, so the offset of each partition
    only grows, and never passes a record whose output is not delivered.
    """

    def __init__(self) -> None:
        self.failed: tuple[str, KafkaError] | None = None
        """Topic and error of the first output that was not delivered."""
        self._chunks: deque[Chunk] = deque()
        self._settled: dict[Partition, int] = {}
        self._asked: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}

    @property
    def asked(self) -> bool:
        """Whether a request to commit is not answered yet."""
        return bool(self._asked)

    def begin(self, ends: dict[Partition, int]) -> Chunk:
        """Add the chunk of the records up to `ends`."""
        chunk = Chunk(ends, self._note_failure)
        self._chunks.append(chunk)
        return chunk

    def forget(self) -> None:
        """Forget everything: the partitions belong to somebody else."""
        self._chunks.clear()
        self._settled.clear()
        self._asked.clear()
        self._committed.clear()

    def ask(self) -> list[TopicPartition]:
        """Return the offsets to commit next, empty if there are none or the last request is not answered yet."""
        if self._asked:
            return []
        self._settle()
        self._asked, self._settled = self._settled, {}
        return _offsets(self._asked)

    def answered(self, offsets: list[TopicPartition], *, committed: bool) -> bool:
        """Take in the answer to a request; one from before a rebalance is ignored. Returns whether it was taken."""
        if not self._asked or {(at.topic, at.partition): at.offset for at in offsets} != self._asked:
            return False
        if committed:
            self._committed.update(self._asked)
        else:
            self._settled = {**self._asked, **self._settled}
        self._asked = {}
        return True

    def take(self) -> list[TopicPartition]:
        """Return all offsets that are not known to be committed, for a commit that is waited for."""
        self._settle()
        taken, self._settled, self._asked = {**self._asked, **self._settled}, {}, {}
        self._committed.update(taken)
        return _offsets(taken)

    def check(self) -> None:
        """Raise the error of an output that was not delivered."""
        if self.failed is not None:
            topic, error = self.failed
            raise not_delivered(topic, error)

    def _settle(self) -> None:
        chunks, committed = self._chunks, self._committed
        while chunks and chunks[0].owed == 0:
            for at, end in chunks.popleft().ends.items():
                if committed.get(at) != end:  # the end of a partition is met again and again
                    self._settled[at] = end

    def _note_failure(self, error: KafkaError, message: Message) -> None:
        if self.failed is None:
            self.failed = (message.topic() or "", error)


def _offsets(ends: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]


def not_delivered(topic: str, error: KafkaError) -> OrchestratorError | KafkaException:
    """Return the error for a record that a topic did not take."""
    if error.code() in _NO_TOPIC:
        return TopicError(
            f"Topic {topic} was deleted while it was written.",
            code=Code.TOPIC_MISSING,
            next_step="Create it again (`bos topics apply` creates own topics). No input was passed over.",
        )
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return TopicError(
            f"{topic} does not take a record of the size that this process may write: {error.str()}.",
            code=Code.TOPIC,
            next_step="Run `bos topics plan`, and give the topic back its max.message.bytes. No input was passed over.",
        )
    return KafkaException(error)
