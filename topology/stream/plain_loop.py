"""A consume loop for processes that keep no state: at least once, and it never stops for a commit.

Records are read in batches and handed to the process's work, whose outputs go straight to an idempotent producer.
Offsets are committed in the background, and only those whose outputs are delivered (`topology.stream.deliveries`). A
crash repeats what was not committed; nothing is lost.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from runtime import exit_codes
from runtime.health import STATISTICS_INTERVAL_MS, ProcessHealth
from runtime.logs import get_logger
from schemas.errors import LivenessError
from topology.stream.clients import DELIVERY_TIMEOUT_MS
from topology.stream.commits import Commits
from topology.stream.crash_guard import CrashGuard, Verdict
from topology.stream.deliveries import Deliveries, not_delivered
from topology.stream.exit import Leave, end_lifeless, leave, lost_partitions
from topology.stream.fencing import Fence, fence_of
from topology.stream.liveness import ASSIGNMENT_S, StreamLiveness
from topology.stream.messages import sort_messages
from topology.stream.work import Work

BATCH = 100
"""Records of one consume call at most: a rebalance and a stop wait until they are processed."""
WAIT_S = 0.05
"""Seconds that a consume call waits for the first record."""
FLUSH_S = DELIVERY_TIMEOUT_MS / 1000 + 2
"""Seconds until every output has been delivered or has failed."""
_logger = get_logger("topology.stream.plain_loop")


Guard = Callable[[Any, Sequence[TopicPartition]], None]
"""Checks an assignment before it is read; an error that it raises ends the process. It is given the consumer."""


class Clients(Protocol):
    """Makes the clients (`topology.stream.options.ClientProperties`)."""

    def make_consumer(self, more: Mapping[str, Any]) -> Any:
        """Return a new consumer, with the properties `more` on top."""

    def make_producer(self) -> Any:
        """Return a new producer."""


class PlainLoop:
    """Reads `topics` by their real names until it is stopped.

    `guards` run at each assignment, and `leave` ends the process at once. If the loop hangs, or a client gets no answer
    from Kafka, for `silence_timeout_s` seconds, the process ends.
    """

    def __init__(  # noqa: PLR0913 - every part of a process meets here
        self,
        topics: Sequence[str],
        work: Work,
        clients: Clients,
        *,
        commit_interval_s: float,
        silence_timeout_s: float,
        health: ProcessHealth,
        guards: Sequence[Guard] = (),
        crashes: CrashGuard | None = None,
        leave: Leave = leave,
    ) -> None:
        self._topics = list(topics)
        self._work = work
        self._clients = clients
        self._health = health
        self._guards = (*guards, crashes.assigned) if crashes is not None else tuple(guards)
        self._crashes = crashes
        self._passed = crashes.passed if crashes is not None else _ignore
        self._leave: Leave = leave if crashes is None else crashes.noting(leave)
        self.fence = Fence(leave=self._leave, allow=self.allow)
        self._consumer: Any = None
        self._producer: Any = None
        end = partial(end_lifeless, leave=self._leave)
        self._liveness = StreamLiveness(
            lambda: self._consumer, lambda: self._producer, bound_s=silence_timeout_s, end=end
        )
        self._deliveries = Deliveries()
        self._commits = Commits(self._deliveries, interval_s=commit_interval_s)
        self._assigned: list[TopicPartition] = []
        self._rebalanced = False
        self._stopping = self._failed = False

    def stop(self) -> None:
        """End `run` in order; may be called repeatedly, and from another thread."""
        self._stopping = True

    def allow(self, seconds: float) -> AbstractContextManager[None]:
        """Allow the loop at least `seconds` for the work inside before it counts as hanging."""
        return self._liveness.allow(seconds)

    def run(self) -> None:
        """Run until stopped; then everything that was read is delivered and committed."""
        with self._liveness.watching(self._topics[0]):
            self._consumer = self._clients.make_consumer(self._callbacks())
            self._producer = self._clients.make_producer()
            try:
                self._consumer.subscribe(
                    self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
                )
                while not self._stopping:
                    self._turn()
                self._finish()
            except BaseException as error:
                self._failed = True
                reason = fence_of(error)
                if reason is not None:
                    self.fence.leave(reason)
                raise
            finally:
                self._liveness.stop_asking()
                self._consumer.close()

    def _turn(self) -> None:
        self._liveness.turned()
        messages = self._consume()
        if messages:
            crashes = self._crashes
            if crashes is not None and crashes.careful:
                self._one_by_one(messages, crashes)
            else:
                self._process(messages, Verdict.PROCESS)
        self._producer.poll(0)
        self._deliveries.check()
        self._commits.commit_if_due(self._consumer)

    def _consume(self) -> list[Message]:
        """Return what can be read at once, or the first record within `WAIT_S`.

        A rebalance can take place inside the call. What the call returns may then belong to the old assignment, and to
        another process by now, so all of it is dropped, and the new assignment is read from its start once more.
        """
        careful = self._crashes is not None and self._crashes.careful
        messages = self._consumer.consume(1 if careful else BATCH, 0) or self._consumer.consume(1, WAIT_S)
        self.fence.check()
        if not self._rebalanced:
            return list(messages)
        self._rebalanced = False
        sort_messages(messages, _ignore)  # for the errors among them, which are not told again
        if self._assigned:
            self._consumer.assign(self._assigned)
        return []

    def _process(self, messages: Sequence[Message], verdict: Verdict) -> None:
        records, ends = sort_messages(messages, self._passed)
        chunk = self._deliveries.begin(ends)
        if not records:
            return
        produce, reported, turned = self._producer.produce, chunk.reported, self._liveness.turned

        def send(topic: str, value: bytes | None, key: bytes, headers: list[tuple[str, bytes]], time_ms: int) -> None:
            turned()
            chunk.owed += 1
            try:
                produce(topic, value, key, headers=headers, timestamp=time_ms, on_delivery=reported)
            except BufferError:
                self._send_when_possible(topic, value, key, headers=headers, timestamp=time_ms, on_delivery=reported)
            except KafkaException as error:
                raise not_delivered(topic, error.args[0]) from error

        self._work(records, send, verdict)

    def _send_when_possible(self, topic: str, *record: Any, **more: Any) -> None:
        """Send a record for which the producer's queue has no room; each queued one is delivered or fails in time."""
        with self.allow(FLUSH_S):
            while True:
                self._producer.poll(WAIT_S)
                self._deliveries.check()
                try:
                    self._producer.produce(topic, *record, **more)
                except BufferError:
                    continue
                except KafkaException as error:
                    raise not_delivered(topic, error.args[0]) from error
                return

    def _one_by_one(self, messages: Sequence[Message], crashes: CrashGuard) -> None:
        """Process single records, with a note before and after each, and a commit that is waited for."""
        for message in messages:
            if message.error() is not None:
                self._process([message], Verdict.PROCESS)
                continue
            verdict = crashes.before(message.topic() or "", message.partition() or 0, message.offset() or 0)
            self._process([message], verdict)
            self._flush()
            crashes.committing()
            self._commits.commit(self._consumer)
            crashes.committed()

    def _flush(self) -> None:
        """Wait until all outputs are delivered. Raises the error of one that is not."""
        with self.allow(FLUSH_S):
            left = self._producer.flush(FLUSH_S)
        self._deliveries.check()
        if left:
            raise LivenessError(
                f"{left} records were neither delivered nor refused within {FLUSH_S:.0f} s.",
                next_step="None: a supervisor starts the process again. If it repeats, check the brokers.",
            )

    def _finish(self) -> None:
        self._flush()
        self._commits.commit(self._consumer)

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        with self.allow(ASSIGNMENT_S):
            for at in partitions:
                if at.error is not None:
                    raise KafkaException(at.error)
            if partitions:
                for guard in self._guards:
                    guard(consumer, partitions)
            self._assigned, self._rebalanced = partitions, True
            consumer.assign(partitions)

    def _on_revoke(self, consumer: Any, _partitions: list[TopicPartition]) -> None:
        """Commit what is delivered, before another member reads on; where that fails, the other one repeats it."""
        self._assigned, self._rebalanced = [], True
        if not self._failed:
            with self.allow(ASSIGNMENT_S):
                self._flush()
                try:
                    self._commits.commit(consumer)
                except KafkaException as error:
                    self.fence.check(fence_of(error))
                    _logger.warning("commit_failed", error=str(error), next_step="None: records are repeated.")
        self._deliveries.forget()

    def _on_lost(self, _consumer: Any, partitions: list[TopicPartition]) -> None:
        self.fence.check()
        self._leave(exit_codes.LOST, lost_partitions(len(partitions)))

    def _callbacks(self) -> dict[str, Any]:
        return {
            "statistics.interval.ms": STATISTICS_INTERVAL_MS,
            "stats_cb": self._on_statistics,
            "error_cb": self.fence.on_error,
            "on_commit": self._on_commit,
        }

    def _on_statistics(self, statistics: str) -> None:
        self._liveness.on_statistics(statistics)
        self._health.on_statistics(statistics)

    def _on_commit(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        self.fence.check(error)
        self._commits.on_commit(error, offsets)


def _ignore(_topic: str, _partition: int, _offset: int) -> None:
    """Do nothing at the end of a partition: no crash guard counts what is left."""
