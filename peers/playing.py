"""The peers on a Kafka cluster: one thread that reads, answers in time and reports."""

from __future__ import annotations

import heapq
import threading
import time
from itertools import count
from types import TracebackType
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from peers.core import PeerCore
from peers.envelope import Send
from peers.options import PeerOptions
from peers.report import PeerReport
from peers.topics import REGISTERED

_METADATA_SECONDS = 10.0
_TOPIC_REFRESH_SECONDS = 2.0
_RETRY_SECONDS = 0.2
_LONGEST_POLL_SECONDS = 0.05
_BATCH = 500
_FLUSH_SECONDS = 10.0


class PeersError(RuntimeError):
    """The peers cannot start or had to stop."""


class Peers:
    """Plays the peers in a thread of its own, from `start` to `stop`; also a context manager.

    Partitions are assigned by hand, at the ends (or beginnings) that `start` read, so that whatever is
    published after `start` returned is seen. No consumer group is left behind.
    """

    def __init__(self, options: PeerOptions, bootstrap_servers: str) -> None:
        """Connect to nothing yet."""
        self.options = options
        self._core = PeerCore(options)
        common = {"bootstrap.servers": bootstrap_servers, **options.kafka}
        self._consumer_settings = common | {
            # The client asks for a group id even where partitions are assigned by hand.
            "group.id": "played-peers",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted" if options.read_uncommitted else "read_committed",
            "fetch.wait.max.ms": 100,
        }
        self._producer_settings = common | {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 2,
            "partitioner": "murmur2_random",
            "message.max.bytes": 16_000_000,
        }
        self._due: list[tuple[float, int, Send]] = []
        self._order = count()
        self._replay_ends: dict[tuple[str, int], int] = {}
        """First offset after the records that were there before the peers started, by (topic, partition)."""
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout: float = 30.0) -> None:
        """Wait for the registered topic, find where to begin, and start the thread.

        Args:
            timeout: Seconds to wait for the broker and the topic.

        Raises:
            PeersError: no broker or no registered topic within the timeout.
        """
        consumer = Consumer(self._consumer_settings)
        try:
            self._begin(consumer, timeout)
        except BaseException:
            consumer.close()
            raise
        self._thread = threading.Thread(target=self._run, args=(consumer,), name="played-peers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; events that are not due yet are dropped and counted. Raises `PeersError` if it had failed."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None:
            raise PeersError(f"the played peers stopped: {self._failure}") from self._failure

    @property
    def running(self) -> bool:
        """Whether the peers play: started, not stopped and not failed."""
        return self._thread is not None and not self._has_ended()

    def wait_completed(self, batches: int, timeout: float | None = None) -> bool:
        """Wait until that many batches' completed events were seen; False at the timeout or when the peers ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._core.completed >= batches or self._has_ended(), timeout)
            return self._core.completed >= batches

    def report(self) -> PeerReport:
        """What the peers have to say so far; may be called at any time, from any thread."""
        with self._changed:
            return self._core.report(time.time())

    def _has_ended(self) -> bool:
        return self._stopping.is_set() or self._failure is not None

    def _begin(self, consumer: Consumer, timeout: float) -> None:
        """Assign what there is as soon as the broker answers and the registered topic exists."""
        wanted = self.options.real_name(REGISTERED)
        deadline = time.monotonic() + timeout
        while True:
            try:
                if wanted in consumer.list_topics(timeout=min(_METADATA_SECONDS, timeout)).topics:
                    self._assign_new(consumer)
                    return
                problem = f"topic {wanted} does not exist; create the topics first"
            except KafkaException as error:
                problem = f"the broker does not answer as it should: {error}; check the bootstrap servers"
            if time.monotonic() >= deadline:
                raise PeersError(problem)
            # New topics have no leaders for a moment.
            self._stopping.wait(_RETRY_SECONDS)

    def _assign_new(self, consumer: Consumer, *, late: bool = False) -> None:
        """Assign partitions that are not assigned yet: at start as the options say, later ones whole."""
        known = consumer.list_topics(timeout=_METADATA_SECONDS).topics
        fresh: list[TopicPartition] = []
        replay_ends: dict[tuple[str, int], int] = {}
        for topic in self._core.topics:
            for number in known[topic].partitions if topic in known else ():
                if (topic, number) in self._replay_ends:
                    continue
                start, replay_end = OFFSET_BEGINNING, 0
                if not late:
                    _, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_METADATA_SECONDS)
                    start, replay_end = (start, end) if self.options.from_beginning else (end, 0)
                replay_ends[topic, number] = replay_end
                fresh.append(TopicPartition(topic, number, start))
        if fresh:
            consumer.incremental_assign(fresh)
            self._replay_ends |= replay_ends

    def _run(self, consumer: Consumer) -> None:
        producer = Producer(self._producer_settings)
        try:
            self._loop(consumer, producer)
        except Exception as error:  # noqa: BLE001 - kept for stop(), which raises it
            self._failure = error
        finally:
            unsent = producer.flush(_FLUSH_SECONDS)
            with self._changed:
                self._core.count("not_due_at_stop", len(self._due))
                self._core.count("undelivered", unsent)
                self._changed.notify_all()
            consumer.close()

    def _loop(self, consumer: Consumer, producer: Producer) -> None:
        refresh_at = time.monotonic() + _TOPIC_REFRESH_SECONDS
        while not self._stopping.is_set():
            # One at first: consume() alone would wait out its timeout for a full batch.
            first = consumer.poll(self._poll_seconds())
            if first is not None:
                for message in [first, *consumer.consume(_BATCH, timeout=0)]:
                    self._take(message)
            self._send_due(producer)
            if time.monotonic() >= refresh_at:
                self._refresh(consumer)
                refresh_at = time.monotonic() + _TOPIC_REFRESH_SECONDS

    def _refresh(self, consumer: Consumer) -> None:
        """Look for topics and partitions that appeared; a broker that is away is no reason to stop."""
        try:
            self._assign_new(consumer, late=True)
        except KafkaException as error:
            with self._changed:
                self._core.count(f"metadata error {error.args[0].name()}")

    def _poll_seconds(self) -> float:
        if not self._due:
            return _LONGEST_POLL_SECONDS
        return min(_LONGEST_POLL_SECONDS, max(0.0, self._due[0][0] - time.time()))

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            with self._changed:
                self._core.count(f"read error {error.name()}")
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        with self._changed:
            before = self._core.completed
            sends = self._core.on_message(
                topic,
                message.key(),
                message.value() or b"",
                message.headers() or [],
                time.time(),
                partition=partition,
                offset=offset,
                replayed=offset < self._replay_ends[topic, partition],
            )
            if self._core.completed != before:
                self._changed.notify_all()
        for send in sends:
            heapq.heappush(self._due, (send.at, next(self._order), send))

    def _send_due(self, producer: Producer) -> None:
        now = time.time()
        while self._due and self._due[0][0] <= now:
            _, _, send = heapq.heappop(self._due)
            self._produce(producer, send)
        producer.poll(0)

    def _produce(self, producer: Producer, send: Send) -> None:
        while True:
            try:
                producer.produce(send.topic, send.value, send.key, on_delivery=self._on_delivery)
            except BufferError:
                producer.poll(0.05)
            else:
                return

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        with self._changed:
            self._core.count(f"sent {message.topic()}" if error is None else "undelivered")
