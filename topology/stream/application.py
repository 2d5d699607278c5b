"""The base of every stream application: the library's application with guards, a watchdog and checked messages."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Protocol

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from runtime import exit_codes
from runtime.kafka.admin import Partition
from runtime.kafka.headers import headers_of
from topology.stream.crash_guard import CrashGuard
from topology.stream.exit import Leave, end_lifeless, leave, lost_partitions, unknown_commit
from topology.stream.fencing import fence_of, is_fenced_consumer, leave_fenced
from topology.stream.guards import offset_out_of_range, topic_gone
from topology.stream.hanging import end_hanging
from topology.stream.library import (
    InvalidStoreChangelogOffset,
    InvalidStoredOffset,
    KafkaProducerTransactionCommitFailed,
    StateRecoveryOffsetOutOfRange,
    TopicAdmin,
    raise_for_msg_error,
)
from topology.stream.liveness import ASSIGNMENT_S, FENCE_S, StreamLiveness
from topology.stream.message_path import MessagePath
from topology.stream.recovery import unusable_state

COMMIT_LIMIT_S = 10.0
"""Seconds that a commit may take. The coordinator aborts a transaction of that age, so a longer wait is useless."""


class AssignmentGuard(Protocol):
    """Checks an assignment before the library acts on it; an error that it raises ends the process."""

    def __call__(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        """Check that the partitions can be taken over; `consumer` is the library's."""


class StreamApplication(MessagePath):
    """The library's application, with guards where it would go on with wrong state (see `topology.stream.guards`).

    `guards` run at each assignment before anything is recovered; `topics` answers what the library asks about topics,
    in place of a client of its own; `leave` ends the process at once; `on_commit` is
    called with the seconds that each commit of a transaction took. With `silence_timeout_s` the process ends if the
    loop hangs, or a client gets no answer from Kafka, for so many seconds. `crashes` learns how the process ends, and
    can slow it down to one record at a time.
    """

    def __init__(
        self,
        *,
        guards: Sequence[AssignmentGuard] = (),
        topics: TopicAdmin | None = None,
        leave: Leave = leave,
        on_commit: Callable[[float], None] = lambda _: None,
        silence_timeout_s: float | None = None,
        crashes: CrashGuard | None = None,
        **library: Any,
    ) -> None:
        self._guards = tuple(guards)
        self._topics = topics
        self._crashes = crashes
        if crashes is not None:
            self._guards = (*guards, crashes.assigned)
            leave = crashes.noting(leave)
            crashes.pace = self._set_pace
        self._leave = leave
        self._liveness: StreamLiveness | None = None
        if silence_timeout_s is not None:
            end = partial(end_lifeless, leave=leave)
            self._liveness = StreamLiveness(
                self._inner_consumer, self._inner_producer, bound_s=silence_timeout_s, end=end
            )
            library["consumer_extra_config"] = self._liveness.properties(library["consumer_extra_config"])
        super().__init__(**library)
        self.twin_reports: Callable[[], bool] = lambda: False
        """Asked once Kafka has fenced this process off: whether another one of the same name is alive."""
        self._ends: dict[tuple[str, int], int] = {}
        self._fatal: KafkaError | None = None
        self._note_fatal_errors()
        turned = self._liveness.turned if self._liveness is not None else lambda: None
        self._consumer.poll = self._checked(self._consumer.poll, turned)  # type: ignore[method-assign]
        self._consumer.consume = self._watched(self._consumer.consume, turned)  # type: ignore[method-assign]
        commit = self._producer.commit_transaction
        self._producer.commit_transaction = _timed(commit, on_commit)  # type: ignore[method-assign]

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run until stopped, watched by the watchdog."""
        topic = self._dataframe_registry.consumer_topics[0].name
        with self._liveness.watching(topic) if self._liveness is not None else nullcontext():
            try:
                return super().run(*args, **kwargs)
            except Exception as error:
                # Where another error ends the run, the fence can show in the clean-up: the broker refuses the abort.
                self._leave_if_fence_ended(error)
                raise

    def allow(self, seconds: float) -> AbstractContextManager[None]:
        """Allow the loop at least `seconds` for the work inside before it counts as hanging."""
        return self._liveness.allow(seconds) if self._liveness is not None else nullcontext()

    def end_hanging(self, partitions: Sequence[Partition]) -> None:
        """End transactions of this process that hang on the partitions; only while it has processed nothing yet."""
        if self._processing_context.exactly_once:
            end_hanging(self._producer._producer._producer, partitions)  # noqa: SLF001 - the client in transaction

    def _set_pace(self, *, one_by_one: bool) -> None:
        """Commit after each record, with a note before and after it; or at the usual interval, without notes."""
        context, crashes = self._processing_context, self._crashes
        assert crashes is not None
        context.commit_every = context.checkpoint._commit_every = int(one_by_one)  # noqa: SLF001 - made for good
        if not one_by_one:
            vars(context).pop("commit_checkpoint", None)
            return
        commit = type(context).commit_checkpoint

        def noted(*args: Any, **kwargs: Any) -> None:
            crashes.committing()
            commit(context, *args, **kwargs)
            crashes.committed()

        vars(context)["commit_checkpoint"] = noted

    def _get_topic_manager(self) -> Any:
        manager = super()._get_topic_manager()
        if self._topics is not None:
            manager._admin = self._topics  # noqa: SLF001 - the library makes its own
        return manager

    def _inner_consumer(self) -> Any:
        return self._consumer._inner_consumer  # noqa: SLF001

    def _inner_producer(self) -> Any:
        return self._producer._producer._inner_producer  # noqa: SLF001

    def restored(self) -> bool:
        """Return whether the state of every assigned partition has been restored."""
        return not self._state_manager.recovery_required

    def _checked(self, poll: Callable[..., Any], turned: Callable[[], None]) -> Callable[..., Any]:
        """Return a `poll` that removes unreadable headers and raises the errors that only a message reports.

        The library reads the headers of each message before any code of the product runs, so a header name that is not
        UTF-8 would end the process at the same offset after every restart. All messages pass through `poll`. `turned`
        is called at each call.
        """

        def checked(timeout: float | None = None) -> Any:
            turned()
            message = poll(timeout)
            if self._fatal is not None:
                self._leave_if_fenced(self._fatal)
            if message is None:
                return None
            if message.error() is None:
                headers_of(message)
                return message
            return self._judged(message)

        return checked

    def _watched(self, consume: Callable[..., Any], turned: Callable[[], None]) -> Callable[..., Any]:
        """Return a `consume` that notes its calls as turns of the loop; `_on_event` judges its messages."""

        def watched(count: int, timeout: float) -> Any:
            turned()
            messages = consume(count, timeout)
            if self._fatal is not None:
                self._leave_if_fenced(self._fatal)
            return messages

        return watched

    def _on_event(self, message: Any) -> None:
        failed = self._judged(message)
        if failed is not None:
            raise_for_msg_error(failed)

    def _judged(self, message: Any) -> Any:
        """Raise, or note, what a message reports in place of a record; returns it if that is left to the library."""
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name for it
            self._reached_end(message.topic(), message.partition(), message.offset())
            return None
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            raise offset_out_of_range(message.topic(), message.partition(), message.offset(), error.str())
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise topic_gone(message.topic())
        self._leave_if_fenced(error)
        return message

    def _note_fatal_errors(self) -> None:
        """Keep a fatal error of the consumer: only a callback receives it, just before the partitions are lost."""
        report = self._consumer._user_error_cb  # noqa: SLF001 - the library accepts no other callback

        def note(error: KafkaError) -> None:
            if error.code() == KafkaError._FATAL:  # noqa: SLF001 - the library's public name for it
                self._fatal = error
            report(error)

        self._consumer._user_error_cb = note  # noqa: SLF001

    def _leave_if_fenced(self, error: KafkaError | None) -> None:
        if error is not None and is_fenced_consumer(error):
            self._leave_fenced(error)

    def _leave_if_fence_ended(self, error: BaseException | None) -> None:
        reason = fence_of(error)
        if reason is not None:
            self._leave_fenced(reason)

    def _leave_fenced(self, reason: KafkaError) -> NoReturn:
        with self.allow(FENCE_S):
            leave_fenced(reason, twin_reports=self.twin_reports, leave=self._leave)

    def _reached_end(self, topic: str, partition: int, end: int) -> None:
        """Commit the end offset of a partition whose records are all processed.

        Consumers skip transaction markers, so the committed offset of an idle partition would stay before its end.
        After retention has passed that offset, unread records would seem to be lost.
        """
        if end > 0 and self._ends.get((topic, partition)) != end:
            self._ends[topic, partition] = end
            with suppress(InvalidStoredOffset):  # the record before the end was the last one, and is stored
                self._processing_context.store_offset(topic, partition, end - 1)
            if self._crashes is not None:
                self._crashes.passed(topic, partition, end)

    def _on_assign(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:
        with self.allow(ASSIGNMENT_S):
            self._ends.clear()
            for at in topic_partitions:
                if at.topic not in self._topic_manager.non_changelog_topics:
                    at.offset = OFFSET_BEGINNING  # nothing is committed on a changelog: recovery sets the offset
            if topic_partitions:
                for guard in self._guards:
                    guard(self._consumer, topic_partitions)
            try:
                super()._on_assign(consumer, topic_partitions)
            except (StateRecoveryOffsetOutOfRange, InvalidStoreChangelogOffset) as error:
                raise unusable_state(error) from error

    def _on_lost(self, _consumer: Any, topic_partitions: list[TopicPartition]) -> None:
        """H1: the library would keep the open checkpoint and commit it after rejoining."""
        self._leave_if_fenced(self._fatal)
        self._leave(exit_codes.LOST, lost_partitions(len(topic_partitions)))

    def _exception_handler(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Runs first when a run ends: after an unknown commit or a fence, no further clean-up may run."""
        self._leave_if_fence_ended(error)
        if isinstance(error, KafkaProducerTransactionCommitFailed):
            self._leave(exit_codes.COMMIT_UNKNOWN, unknown_commit(error))
        if self._liveness is not None:
            self._liveness.stop_asking()
        return bool(super()._exception_handler(kind, error, traceback))  # type: ignore[no-untyped-call]


def _timed(commit: Callable[..., None], on_commit: Callable[[float], None]) -> Callable[..., None]:
    """Return `commit` with a timeout; `on_commit` is called with the seconds that it took."""

    def timed(positions: Any, group: Any, timeout: float | None = None) -> None:
        started = time.perf_counter()
        commit(positions, group, timeout=COMMIT_LIMIT_S if timeout is None else timeout)
        on_commit(time.perf_counter() - started)

    return timed
