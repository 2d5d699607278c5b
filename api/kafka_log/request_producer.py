"""Writing requests to Kafka, each awaited until every in-sync replica has it."""

import asyncio
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import BrokerError, RecordTooLarge
from schemas.limits import PRODUCER_OVERHEAD_BYTES

_LINGER_MS = 1
_POLL_S = 0.1


class RequestLog(Protocol):
    """Appends to the request topic."""

    async def append(self, key: bytes, value: bytes) -> None:
        """Return when the record is durable. Raises `RecordTooLarge`, or `BrokerError`: it may be there or not."""


class KafkaRequestLog:
    """The request topic on a Kafka cluster. Make it, and use it, on one event loop."""

    def __init__(self, kafka: Mapping[str, Any], topic: str, *, timeout_s: float, largest_bytes: int) -> None:
        self._topic = topic
        self._loop = asyncio.get_running_loop()
        self._producer = Producer(
            {
                **kafka,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2",
                "linger.ms": _LINGER_MS,
                "delivery.timeout.ms": int(timeout_s * 1000),
                "message.max.bytes": largest_bytes + PRODUCER_OVERHEAD_BYTES,
                "queue.buffering.max.kbytes": max(262_144, largest_bytes // 256),
            }
        )
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="requests", daemon=True)
        self._thread.start()

    async def append(self, key: bytes, value: bytes) -> None:
        """Write one record and wait for the cluster's word."""
        done: asyncio.Future[KafkaError | None] = self._loop.create_future()

        def delivered(error: KafkaError | None, _message: Message) -> None:
            self._loop.call_soon_threadsafe(_settle, done, error)

        try:
            self._producer.produce(self._topic, key=key, value=value, on_delivery=delivered)
        except BufferError as error:
            raise _unwritten("too many requests wait to be written") from error
        except KafkaException as error:
            raise _failure(error.args[0]) from error
        try:
            failure = await done
        except asyncio.CancelledError:  # the server stops; whoever has sent it must be told where to look for it
            raise _unwritten("this process stops") from None
        if failure is not None:
            raise _failure(failure)

    async def close(self) -> None:
        """Stop; what is not acknowledged by now, which nobody waits for any more, may be written or not."""
        self._producer.purge()
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)


def _settle(done: "asyncio.Future[KafkaError | None]", error: KafkaError | None) -> None:
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
