"""The small producer that a process reports itself with: outside all transactions, and never in anybody's way."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

_LOOK_S = 1.0
"""Patience with the question whether the topic is there."""
_QUEUED = 100


class ReportProducer(Protocol):
    """Writes reports from one thread."""

    def send(self, key: bytes, value: bytes) -> None:
        """Hand over one record. It never raises, and returns within a second or so."""

    def close(self, key: bytes, value: bytes, timeout_s: float) -> None:
        """Write a last record, and give up what is not acknowledged within `timeout_s`."""


class KafkaReportProducer:
    """A `ReportProducer` on a Kafka cluster; `on_result` is told None for each record written, else what is wrong.

    What is not acknowledged within `delivery_s` is dropped, so that an outage leaves a few records behind at the most.
    Nothing is produced before the topic has been seen: a cluster that creates topics by itself must not make this one
    with settings of its own.
    """

    def __init__(
        self, kafka: Mapping[str, Any], topic: str, *, delivery_s: float, on_result: Callable[[str | None], None]
    ) -> None:
        self._config = {
            **kafka,
            "client.id": "batch-orchestrator-report",
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2",
            "linger.ms": 5,
            "delivery.timeout.ms": round(delivery_s * 1_000),
            "queue.buffering.max.messages": _QUEUED,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 0,  # what is wrong is told once, by `on_result`
            "error_cb": lambda _: None,
        }
        self._topic = topic
        self._on_result = on_result
        self._producer: Producer | None = None
        self._topic_seen = False

    def send(self, key: bytes, value: bytes) -> None:
        """Hand over one record, without waiting for the cluster."""
        try:
            producer = self._opened()
            if self._sees_topic(producer):
                producer.produce(self._topic, key=key, value=value, on_delivery=self._delivered)
            producer.poll(0)
        except (KafkaException, BufferError) as error:
            self._failed(error)

    def close(self, key: bytes, value: bytes, timeout_s: float) -> None:
        """Write a last record where the topic has been seen, and wait for it for `timeout_s`."""
        if self._producer is None:
            return
        try:
            if self._topic_seen:
                self._producer.produce(self._topic, key=key, value=value, on_delivery=self._delivered)
                self._producer.flush(timeout_s)
            self._producer.purge()
            self._producer.poll(0)
        except (KafkaException, BufferError) as error:
            self._failed(error)
        self._producer = None

    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._config)
        return self._producer

    def _sees_topic(self, producer: Producer) -> bool:
        if not self._topic_seen:
            self._topic_seen = self._topic in producer.list_topics(timeout=_LOOK_S).topics
            if not self._topic_seen:
                self._on_result(f"The topic {self._topic} does not exist.")
        return self._topic_seen

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._on_result(None)
        else:
            self._failed(KafkaException(error))

    def _failed(self, error: KafkaException | BufferError) -> None:
        cause = error.args[0]
        if isinstance(cause, KafkaError):
            if cause.fatal() or cause.code() == KafkaError._FATAL:  # noqa: SLF001 - its public name has the underscore
                self._producer = None  # an idempotent producer cannot go on after a fatal error; a new one can
            cause = cause.str()
        self._on_result(str(cause))
