"""The producer of requests: a write returns when every in-sync replica has the record."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from threading import Event, Lock, Thread
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from runtime.kafka.client_watch import ASK_EVERY_S, ASK_TIMEOUT_S, heard
from runtime.kafka.clients import client_properties, own_topics_compression
from runtime.logs import get_logger
from schemas.errors import BrokerError, RecordTooLarge
from schemas.limits import PRODUCER_OVERHEAD_BYTES

_LINGER_MS = 1
_POLL_S = 0.1
_MOST_DRAIN_POLLS = 50
_PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - their public names

_logger = get_logger("api.kafka_log.request_producer")


class RequestLog(Protocol):
    """Appends to the request topic."""

    async def append(self, key: bytes, value: bytes) -> None:
        """Return when the record is durable.

        Raises `RecordTooLarge`, or `BrokerError` if the outcome is unknown: the record may have been written.
        """


class KafkaRequestLog:
    """The request topic on a Kafka cluster. Create it and use it on one event loop.

    A producer that gets no answer from Kafka for `silence_s` seconds is replaced. The new one writes the records that
    the old one had not acknowledged. A record can be written twice; the decision recognises the repeat. A producer with
    a fatal error, from which an idempotent producer never recovers, is replaced within seconds.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        *,
        timeout_s: float,
        largest_bytes: int,
        silence_s: float = float("inf"),
    ) -> None:
        self._topic = topic
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._loop = asyncio.get_running_loop()
        self._properties = client_properties(
            kafka,
            {
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2",
                "linger.ms": _LINGER_MS,
                **own_topics_compression(kafka),
                "delivery.timeout.ms": int(timeout_s * 1000),
                "message.max.bytes": largest_bytes + PRODUCER_OVERHEAD_BYTES,
                "queue.buffering.max.kbytes": max(262_144, largest_bytes // 256),
            },
        )
        self._producer = Producer(self._properties)
        self._fatal = False
        self._replacing = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="requests", daemon=True)
        self._thread.start()

    async def append(self, key: bytes, value: bytes) -> None:
        """Write one request and wait for its acknowledgement."""
        await self.append_to(self._topic, key, value)

    async def append_to(
        self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Write one record to `topic` and wait for its acknowledgement."""
        deadline = time.monotonic() + self._timeout_s
        record = {"topic": topic, "key": key, "value": value, "headers": list(headers)}
        while (failure := await self._write(record, deadline)) is not None:
            self._note(failure)
            if failure.code() not in _PURGED or self._stopping.is_set():
                raise _failure(failure)

    async def close(self) -> None:
        """Stop. Records without an acknowledgement may or may not be written; no caller waits for them."""
        self._stopping.set()
        self._producer.purge()
        await asyncio.to_thread(self._thread.join)

    async def _write(self, record: dict[str, Any], deadline: float) -> KafkaError | None:
        done: asyncio.Future[KafkaError | None] = self._loop.create_future()

        def delivered(error: KafkaError | None, _message: Message) -> None:
            self._loop.call_soon_threadsafe(_resolve, done, error)

        try:
            with self._replacing:
                self._producer.produce(**record, on_delivery=delivered)
        except BufferError as error:
            raise _unwritten("too many requests wait to be written") from error
        except KafkaException as error:
            self._note(error.args[0])
            raise _failure(error.args[0]) from error
        try:
            # The producer gives up at its delivery timeout; a record that a replacement sent again, later.
            return await asyncio.wait_for(done, max(0.0, deadline - time.monotonic()) + _POLL_S)
        except TimeoutError:
            raise _unwritten("no acknowledgement came in time") from None
        except asyncio.CancelledError:  # at shutdown: the handler still answers 503 with the batch's Location
            raise _unwritten("this process stops") from None

    def _serve(self) -> None:
        asked_at = heard_at = time.monotonic()
        while not self._stopping.is_set():
            self._poll(self._producer)
            if time.monotonic() - asked_at < ASK_EVERY_S:
                continue
            answers = heard(self._producer, topic=self._topic, timeout_s=ASK_TIMEOUT_S / 4)
            if self._fatal or (not answers and time.monotonic() - heard_at > self._silence_s):
                self._replace()
                heard_at = time.monotonic()
            elif answers:
                heard_at = time.monotonic()
            asked_at = time.monotonic()
        self._poll(self._producer, 0)

    def _poll(self, producer: Producer, timeout_s: float = _POLL_S) -> int:
        """Serve callbacks. A fatal error is raised here too, and must not end the thread: all would wait for ever."""
        try:
            served: int = producer.poll(timeout_s)
        except KafkaException as error:
            self._note(error.args[0])
            self._stopping.wait(timeout_s)
            return 0
        return served

    def _note(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - its public name
            self._fatal = True

    def _replace(self) -> None:
        """Put a new producer in the place of one that cannot go on; what it held is reported as purged."""
        reason = "a fatal error" if self._fatal else f"no good answer from Kafka for {self._silence_s:g} s"
        _logger.warning("client_replaced", client="requests", reason=reason)
        following = Producer(self._properties)
        with self._replacing:
            silent, self._producer = self._producer, following
        silent.purge()
        for _ in range(_MOST_DRAIN_POLLS):
            if not self._poll(silent) and not len(silent):
                break
        self._fatal = False  # known of the one before: nothing has polled the next one yet


def _resolve(done: "asyncio.Future[KafkaError | None]", error: KafkaError | None) -> None:
    if not done.done():
        done.set_result(error)


def _failure(error: KafkaError) -> Exception:
    if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE):
        return RecordTooLarge(
            f"The request does not fit its topic: {error.str()}.",
            next_step="Register fewer essays at a time, or raise BATCH_ORCHESTRATOR_SERVICE_MAX_INPUT_BYTES.",
        )
    return _unwritten(error.str())


def _unwritten(why: str) -> BrokerError:
    return BrokerError(
        f"Kafka has not acknowledged the request: {why}.",
        next_step="Send it again with the same Idempotency-Key, which is safe, once the cluster answers.",
    )
