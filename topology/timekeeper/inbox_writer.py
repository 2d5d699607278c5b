"""Writes deadlines to the inbox with an idempotent producer, and waits for their acknowledgement."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

from runtime.kafka.clients import client_properties, own_topics_compression
from runtime.kafka.errors import kafka_failure
from schemas.internal.outgoing import OutgoingRecord
from topology.stream.clients import DELIVERY_TIMEOUT_MS, LINGER_MS

_WAIT_S = 0.1


class KafkaInboxWriter:
    """An `InboxWriter` on a Kafka cluster, for one thread. `turned` is called while it waits."""

    def __init__(self, kafka: Mapping[str, Any], topic: str, *, client_id: str, turned: Callable[[], None]) -> None:
        self._address = str(kafka["bootstrap.servers"])
        self._topic = topic
        self._turned = turned
        self.producer = Producer(
            client_properties(
                kafka,
                {
                    "client.id": client_id,
                    "acks": "all",
                    "enable.idempotence": True,
                    "partitioner": "murmur2",
                    "linger.ms": LINGER_MS,
                    **own_topics_compression(kafka),
                    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                },
            )
        )

    def write(self, records: Sequence[OutgoingRecord]) -> list[int]:
        """Write records, and return the broker's append time of each."""
        times = [0] * len(records)
        failed: list[KafkaError] = []

        def delivered(number: int, error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)
                return
            kind, time_ms = message.timestamp()
            assert kind == TIMESTAMP_LOG_APPEND_TIME, "the inbox is stamped by the broker"
            times[number] = time_ms

        try:
            for number, record in enumerate(records):
                done = partial(delivered, number)
                self.producer.produce(self._topic, key=record.key, value=record.value, on_delivery=done)
            while self.producer.flush(_WAIT_S):  # ends by the delivery timeout
                self._turned()
        except (KafkaException, BufferError) as error:
            raise self._failure(error.args[0]) from error
        if failed:
            raise self._failure(failed[0])
        return times

    def _failure(self, error: Any) -> Exception:
        cause = error if isinstance(error, KafkaError) else KafkaError(KafkaError._QUEUE_FULL)  # noqa: SLF001
        return kafka_failure(KafkaException(cause), address=self._address, asked="the append of deadlines to the inbox")
