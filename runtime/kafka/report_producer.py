"""The producer of process reports: it works outside transactions, never blocks for long and never raises."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

_METADATA_S = 1.0
"""Seconds that the check for the topic may take."""
_QUEUED = 100
_ACKNOWLEDGED_S = 0.2
"""Seconds that the sender waits for the acknowledgement of a report, so that its append time is known at once."""


class ReportProducer(Protocol):
    """Writes reports from one thread."""

    def send(self, key: bytes, value: bytes) -> None:
        """Queue one record. It never raises, and returns within about a second."""

    def close(self, key: bytes, value: bytes, timeout_s: float) -> None:
        """Write a last record, and drop what is not acknowledged within `timeout_s` seconds."""


class KafkaReportProducer:
    """A `ReportProducer` on a Kafka cluster; `on_result` gets None for each written record, otherwise the error.

    `on_append` gets the broker's append time of each written record.

    Records that are not acknowledged within `delivery_s` seconds are dropped, so an outage leaves only a few queued
    records. Nothing is produced before the topic exists: a cluster with automatic creation must not create it with the
    cluster's settings.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        *,
        delivery_s: float,
        on_result: Callable[[str | None], None],
        on_append: Callable[[int], None] = lambda _time_ms: None,
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
            "log_level": 0,  # errors are reported once, by `on_result`
            "error_cb": lambda _: None,
        }
        self._topic = topic
        self._on_result = on_result
        self._on_append = on_append
        self._producer: Producer | None = None
        self._topic_seen = False

    def send(self, key: bytes, value: bytes) -> None:
        """Queue one record, without waiting for the cluster."""
        try:
            producer = self._opened()
            if self._topic_exists(producer):
                producer.produce(self._topic, key=key, value=value, on_delivery=self._delivered)
            producer.poll(_ACKNOWLEDGED_S)
        except (KafkaException, BufferError) as error:
            self._failed(error)

    def close(self, key: bytes, value: bytes, timeout_s: float) -> None:
        """Write a last record if the topic exists, and wait for its acknowledgement for `timeout_s` seconds."""
        try:
            producer = self._opened()
            if self._topic_exists(producer):
                producer.produce(self._topic, key=key, value=value, on_delivery=self._delivered)
                producer.flush(timeout_s)
            producer.purge()
            producer.poll(0)
        except (KafkaException, BufferError) as error:
            self._failed(error)
        self._producer = None

    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._config)
        return self._producer

    def _topic_exists(self, producer: Producer) -> bool:
        if not self._topic_seen:
            self._topic_seen = self._topic in producer.list_topics(timeout=_METADATA_S).topics
            if not self._topic_seen:
                self._on_result(f"The topic {self._topic} does not exist.")
        return self._topic_seen

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._on_result(None)
            kind, time_ms = message.timestamp()
            if kind == TIMESTAMP_LOG_APPEND_TIME:
                self._on_append(time_ms)
        else:
            self._failed(KafkaException(error))

    def _failed(self, error: KafkaException | BufferError) -> None:
        cause = error.args[0]
        if isinstance(cause, KafkaError):
            if cause.fatal() or cause.code() == KafkaError._FATAL:  # noqa: SLF001 - its public name has the underscore
                self._producer = None  # an idempotent producer cannot go on after a fatal error; a new one can
            cause = cause.str()
        self._on_result(str(cause))
