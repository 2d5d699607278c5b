"""The thread that reads the Kafka log for the follower.

It asks the Kafka cluster and nothing else: a database that hangs must not delay an answer. Everything that it has read
is handed to the event loop, so that nothing there needs a lock.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import BoundedSemaphore, Event, Thread
from typing import Protocol

from api.kafka_log.kafka_log import KafkaLog, LogPartition, LogRecord
from runtime.logs import get_logger
from schemas.errors import BrokerError, LivenessError, OrchestratorError

_POLL_S = 0.1
_CHECK_EVERY_S = 30.0
_STOP_S = 1.0
_RETRY_START_S = 2.0
_RETRY_RESUME_S = 0.5
_MOST_UNFOLDED = 4
"""Reads that may wait for the event loop before the thread waits for it."""

_logger = get_logger("api.kafka_log.reading_thread")

Positions = Mapping[LogPartition, int]


class LogListener(Protocol):
    """Receives what the thread has read. Every method is called on the event loop."""

    def begin(self, ends: dict[LogPartition, int], starts: dict[LogPartition, int] | None) -> None:
        """Take in the end offsets at the start; `starts` if reading starts elsewhere than at the projection."""

    def take(self, records: list[LogRecord], positions: dict[LogPartition, int]) -> None:
        """Take in records, and the next offset of each partition after them."""

    def give_up(self, error: Exception) -> None:
        """Take in the error that ended the thread."""


class ReadingThread:
    """Reads one Kafka log after the other: a new one replaces one that gets no answers.

    `projected` returns the projection's offsets for the start, or None while they are unknown.
    """

    def __init__(
        self, open_log: Callable[[], KafkaLog], listener: LogListener, projected: Callable[[], Positions | None]
    ) -> None:
        self.waiting_for: str | None = None
        """Why it cannot read now."""
        self._open_log = open_log
        self._listener = listener
        self._projected = projected
        self._read_to: Positions = {}
        self._stopping = Event()
        self._slots = BoundedSemaphore(_MOST_UNFOLDED)
        self._thread = Thread(target=self._run, name="kafka-log-follower", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to read; the running event loop receives what is read."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def end(self) -> None:
        """Stop reading soon, without waiting."""
        self._stopping.set()

    async def stop(self) -> None:
        """End the thread and disconnect; if the cluster does not answer, without waiting for it."""
        self._stopping.set()
        self._release_slot()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, _STOP_S)

    def _deliver(self, records: list[LogRecord], positions: dict[LogPartition, int]) -> None:
        """Runs on the event loop."""
        try:
            self._listener.take(records, positions)
        finally:
            self._release_slot()

    def _release_slot(self) -> None:
        with suppress(ValueError):
            self._slots.release()

    def _run(self) -> None:
        assert self._loop is not None
        try:
            kafka_log = self._started_log()
            while kafka_log is not None:
                try:
                    self._follow(kafka_log)
                except LivenessError as error:
                    self._note_waiting(error)
                finally:
                    self._close(kafka_log)
                kafka_log = self._resumed_log()
        except Exception as error:  # noqa: BLE001 - the error must reach health, not end in this thread
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._listener.give_up, error)

    def _started_log(self) -> KafkaLog | None:
        """Start, and retry while the cluster or its topics are missing."""
        assert self._loop is not None
        while not self._stopping.is_set():
            kafka_log = self._open_log()
            try:
                offsets = self._projected()
                ends = kafka_log.start(offsets)
            except OrchestratorError as error:
                self._close(kafka_log)
                self._note_waiting(error)
                self._stopping.wait(_RETRY_START_S)
                continue
            self.waiting_for = None
            starts = None
            if offsets is None:
                starts = kafka_log.positions()
                _logger.warning("started_near_the_ends", reason="the projection's offsets are unknown")
            self._loop.call_soon_threadsafe(self._listener.begin, ends, starts)
            return kafka_log
        return None

    def _resumed_log(self) -> KafkaLog | None:
        """Go on with a new client where the last one stopped, so that waiting callers still get their record."""
        while not self._stopping.is_set():
            kafka_log = self._open_log()
            try:
                kafka_log.resume(self._read_to)
            except OrchestratorError as error:
                self._close(kafka_log)
                self._note_waiting(error)
                self._stopping.wait(_RETRY_RESUME_S)
                continue
            self.waiting_for = None
            _logger.info("follower_resumed")
            return kafka_log
        return None

    def _close(self, kafka_log: KafkaLog) -> None:
        """Close a log; while reading goes on, in another thread: a client without a broker can be slow to close."""
        if self._stopping.is_set():
            kafka_log.close()
        else:
            Thread(target=kafka_log.close, name="kafka-log-close", daemon=True).start()

    def _note_waiting(self, error: OrchestratorError) -> None:
        self.waiting_for = str(error)
        _logger.warning("follower_waiting", error=str(error))

    def _follow(self, kafka_log: KafkaLog) -> None:
        assert self._loop is not None
        before: dict[LogPartition, int] = {}
        self._read_to = kafka_log.positions()
        next_check = time.monotonic() + _CHECK_EVERY_S
        while not self._stopping.is_set():
            records = kafka_log.read(_POLL_S)
            positions = kafka_log.positions()
            now = time.monotonic()
            if now >= next_check:
                self._check(kafka_log)
                next_check = now + _CHECK_EVERY_S
            if not records and positions == before:
                continue
            before = self._read_to = positions
            self._slots.acquire()
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._deliver, records, positions)

    @staticmethod
    def _check(kafka_log: KafkaLog) -> None:
        try:
            kafka_log.check()
        except BrokerError as error:  # no answer is no change: the client reconnects by itself
            _logger.warning("topics_not_checked", error=str(error))
