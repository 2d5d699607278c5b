"""The path of a message through a stream application: a loop of our own in place of the library's, behind a setting.

The library makes a row, a context and a wrapper for each message and each output, and calls Python back for each
delivery. Here messages are received in batches and given straight to a function, and what that returns goes straight
to the producer, in the transaction that the library has opened. Checkpoints, recovery, rebalances and exactly-once
remain the library's. Of its private parts only those named here are relied on; `tests/topology/test_message_path.py`
pins them.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, Protocol

from confluent_kafka import Message, TopicPartition

from runtime.kafka.headers import headers_of
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.topics import AnyTopic
from topology.stream.library import SEPARATOR, Application, Marker, PartitionTransactionStatus, StreamingDataFrame

BATCH_RECORDS = 100
"""Most messages that are processed between two looks at the clock: about 20 ms of decisions."""
DRY_S = 0.005
"""Seconds that work stays open, at least, before it is committed because no more input is there."""
DRY_PAUSE = 3.0
"""And so many times the last commit's duration from its end: under load, commits are rarer and larger."""
BACKLOG_S = 0.2
"""Seconds between commits while more input waits than one call returns, if the usual interval is shorter."""
_KEYLESS = b"null"
"""The prefix under which the library stores what belongs to messages without a key."""
Headers = Iterable[tuple[str, bytes | None]]


class Step(Protocol):
    """Processes one message and returns the records to publish; an error ends the process."""

    def __call__(
        self, at: RecordPosition, key: bytes | None, value: bytes | None, headers: Headers, store: "DirectStore", /
    ) -> Iterable[OutgoingRecord]:
        """Process the message at `at`. `headers` are empty unless they were asked for."""


class Taken(NamedTuple):
    """How the messages of one topic are processed."""

    step: Step
    names: Mapping[AnyTopic, str]
    """Real name of each topic that is written."""
    stream_id: str | None
    """The library's name of the store; None without state."""
    with_headers: bool


class DirectStore:
    """The store under the key of the current message: the library's, without typing objects at each `get`."""

    __slots__ = ("_prefix", "_transaction")

    def turn(self, transaction: Any, key: bytes | None) -> None:
        """Turn to the next message's key."""
        self._transaction, self._prefix = transaction, _KEYLESS if key is None else key

    def get_bytes(self, key: bytes) -> bytes | None:
        """Return the value, or None."""
        transaction, prefix = self._transaction, self._prefix
        partition = transaction._partition  # noqa: SLF001 - the read is all that is replaced
        started = transaction.status is PartitionTransactionStatus.STARTED
        if not prefix or not started or partition.uses_ttl_stamps or partition._ttl_stamped_reads_unflagged:  # noqa: SLF001
            return transaction.get_bytes(key, prefix)  # type: ignore[no-any-return]
        full = prefix + SEPARATOR + key
        found = transaction._update_cache.get(full, prefix)  # noqa: SLF001 - what this checkpoint has changed
        if found is Marker.UNDEFINED:
            return partition.get_or_create_column_family("default").get(full)  # type: ignore[no-any-return]
        return None if found is Marker.DELETED else found

    def set_bytes(self, key: bytes, value: bytes) -> None:
        """Set the value."""
        self._transaction.set_bytes(key, value, self._prefix)

    def delete(self, key: bytes) -> None:
        """Remove the value."""
        self._transaction.delete(key, self._prefix)


class MessagePath(Application):
    """The library's application; topics that are taken with `take` go another path than its dataframes."""

    def __init__(self, **library: Any) -> None:
        super().__init__(**library)
        self.dry_s = DRY_S
        self._taken: dict[str, Taken] = {}
        self._store = DirectStore()
        self._rebalances = 0
        self._opened: object = None
        self._since = self._left = self._pause_until = 0.0

    def take(
        self,
        frame: StreamingDataFrame,
        step: Step,
        names: Mapping[AnyTopic, str],
        *,
        stateful: bool = False,
        with_headers: bool = False,
    ) -> None:
        """Have `step` process the messages of the frame's topics; the frame still names topics, store and changelog."""
        taken = Taken(step, names, frame.stream_id if stateful else None, with_headers)
        self._taken.update({topic.name: taken for topic in frame.topics})

    def _process_message(self, dataframe_composed: Any) -> None:
        """Process what has been received: one message, or with `take` up to `BATCH_RECORDS`."""
        if not self._taken:
            super()._process_message(dataframe_composed)  # type: ignore[no-untyped-call]
            return
        if self._opened is not None and self._opened is not self._processing_context.checkpoint:
            self._committed(self._left)  # by the library's loop
        self._producer.poll(self._config.producer_poll_timeout)
        messages = self._receive()
        self._run_tracker.set_message_consumed(bool(messages))
        if messages:
            self._process(messages)
            self._set_interval(backlog=len(messages) == BATCH_RECORDS)
            for client in (self._producer, self._consumer):
                client._broker_available()  # type: ignore[no-untyped-call]  # noqa: SLF001 - as the library does
        self._left = monotonic()

    def _receive(self) -> list[Message]:
        """Return what has been fetched. If that is nothing, commit work that is old enough, or wait for a message."""
        rebalances = self._rebalances
        messages = self._consumer.consume(BATCH_RECORDS, 0)
        if not messages:
            wait_s, now = self._config.consumer_poll_timeout, monotonic()
            if self._opened is not None:
                wait_s = min(wait_s, max(self._since + self.dry_s, self._pause_until) - now)
                if wait_s <= 0:
                    self._processing_context.commit_checkpoint(force=True)
                    self._committed(now)
                    return []
            messages = self._consumer.consume(1, wait_s)
        return messages if rebalances == self._rebalances else self._owned(messages)

    def _set_interval(self, *, backlog: bool) -> None:
        """Set the age at which the library's loop commits: later in a backlog, to share its cost among more."""
        context = self._processing_context
        usual = context.commit_interval
        context.checkpoint._commit_interval = max(usual, BACKLOG_S) if backlog else usual  # noqa: SLF001

    def _committed(self, began: float) -> None:
        now = monotonic()
        self._opened, self._pause_until = None, now + DRY_PAUSE * (now - began)

    def _owned(self, messages: list[Message]) -> list[Message]:
        """Return the messages whose partitions are still assigned: callbacks run while messages are collected."""
        owned = {(at.topic, at.partition) for at in self._consumer.assignment()}
        return [one for one in messages if one.error() or (one.topic(), one.partition()) in owned]

    def _process(self, messages: list[Message]) -> None:
        context, store = self._processing_context, self._store
        inner = self._producer._producer._producer  # noqa: SLF001 - the client in whose transaction outputs are written
        produce = inner.produce
        if not context.exactly_once:  # a transaction with a lost record cannot be committed; otherwise it must be told
            produce = partial(produce, on_delivery=self._producer._on_delivery)  # noqa: SLF001
        for message in messages:
            if message.error() is not None:
                self._on_event(message)
                continue
            topic, partition, offset, key = message.topic(), message.partition(), message.offset(), message.key()
            step, names, stream_id, with_headers = self._taken[topic]
            at = RecordPosition(topic, partition, offset, message.timestamp()[1])
            checkpoint = context.checkpoint
            if checkpoint is not self._opened:
                self._opened, self._since = checkpoint, monotonic()
            if stream_id is not None:
                store.turn(checkpoint.get_store_transaction(stream_id, partition), key)
            headers = headers_of(message) if with_headers else ()
            for record in step(at, key, message.value(), headers, store):
                name, sent = names[record.topic], list(record.headers)
                try:
                    produce(name, record.value, record.key, headers=sent, timestamp=at.time_ms)
                except BufferError:  # the library's producer waits for room
                    self._producer.produce(name, record.value, record.key, sent, timestamp=at.time_ms)
            checkpoint.store_offset(topic, partition, offset)
            if context.commit_every:
                context.commit_checkpoint()

    def _on_event(self, message: Message) -> None:
        """Handle a message that reports an error or the end of a partition. Raises what ends the process."""
        raise NotImplementedError

    def _on_assign(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:
        self._rebalances += 1
        super()._on_assign(consumer, topic_partitions)

    def _on_revoke(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:
        self._rebalances += 1
        self._store.turn(None, None)  # a closed store is not kept open by a reference to it
        super()._on_revoke(consumer, topic_partitions)
        self._opened = None
