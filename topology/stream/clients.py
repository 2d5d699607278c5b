"""The properties of the Kafka clients, which were measured or found to be necessary."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from confluent_kafka import Consumer, Producer

from runtime.health import STATISTICS_INTERVAL_MS, ProcessHealth
from runtime.kafka.clients import client_properties, own_topics_compression
from runtime.settings import Settings
from schemas.limits import PRODUCER_OVERHEAD_BYTES

Guarantee = Literal["exactly-once", "at-least-once"]

SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_INTERVAL_MS = 2_000
TRANSACTION_TIMEOUT_MS = 10_000
FETCH_WAIT_MS = 100
"""Milliseconds that a broker holds an empty fetch. Every other request on that connection waits behind it; an
assignment makes two requests for each partition."""
LINGER_MS = 5
"""linger.ms of the non-transactional producers."""
TRANSACTION_LINGER_MS = 50
"""Longest linger.ms of the transactional producer; the commit interval is used if it is shorter."""
QUEUED_RECORDS = 1_000
"""Records that are read ahead on each partition. A rebalance drops them, and they take memory."""
FETCH_BACKOFF_MS = 20
"""Milliseconds between fetches of a partition whose queue is full. With the default of 1 s so small a queue runs empty
at 1,400 records/s."""
BATCH_BYTES = 262_144
"""batch.size in bytes. Smaller batches cost CPU time in librdkafka's threads; larger ones gain nothing."""
QUEUE_KBYTES = 65_536
"""Size of a queue of records that are not delivered yet, in KiB, outside transactions: what a slow broker may make a
process hold in memory, and repeat after a crash. Then it waits."""
DELIVERY_TIMEOUT_MS = 10_000
"""Milliseconds that a write outside transactions may take; then the process ends, and the next one reads the input
again."""


class ClientProperties(NamedTuple):
    """The properties of the clients of a process that needs no stream library."""

    consumer: dict[str, Any]
    producer: dict[str, Any]

    def make_consumer(self, more: Mapping[str, Any]) -> Consumer:
        """Return a new consumer, with the properties `more` on top."""
        return Consumer({**self.consumer, **more})

    def make_producer(self) -> Producer:
        """Return a new producer."""
        return Producer(self.producer)


def client_properties_of(
    settings: Settings,
    *,
    group: str,
    largest_record: int,
    smallest_limit: int | None = None,
) -> ClientProperties:
    """Return the clients' properties of a process without state, which writes to own topics alone.

    Arguments as in `application_options`.
    """
    member, kafka = f"{group}-{settings.instance}", settings.kafka()
    group_properties = {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "partition.assignment.strategy": "range",
        # A missing offset is lost input, on which a person must decide. First offsets are set by the guards.
        "auto.offset.reset": "error",
        # The end of a partition is committed too (`topology.stream.plain_loop`).
        "enable.partition.eof": True,
    }
    producer = producer_properties(member, "at-least-once", 0, largest_record, smallest_limit)
    producer |= own_topics_compression(kafka)
    producer["queue.buffering.max.kbytes"] = max(QUEUE_KBYTES, producer["message.max.bytes"] // 1024 + 1)
    return ClientProperties(
        consumer=client_properties(kafka, {**group_properties, **consumer_properties(member, None)}),
        producer=client_properties(kafka, producer),
    )


def producer_properties(
    member: str, guarantee: Guarantee, commit_interval_s: float, largest_record: int, smallest_limit: int | None
) -> dict[str, Any]:
    """Return the properties of a producer of `member`; further arguments as in `application_options`."""
    batch_bytes = BATCH_BYTES if smallest_limit is None else min(BATCH_BYTES, smallest_limit)
    config: dict[str, Any] = {
        "client.id": member,
        "partitioner": "murmur2",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "batch.size": batch_bytes,
        "message.max.bytes": max(largest_record + PRODUCER_OVERHEAD_BYTES, batch_bytes),
    }
    if guarantee == "exactly-once":
        # Stable, so that a restart ends the dead process's transaction at once.
        config["transactional.id"] = member
        config["transaction.timeout.ms"] = TRANSACTION_TIMEOUT_MS
        # Records are not read before the commit, whose flush ends the wait; lingering makes fewer requests.
        config["linger.ms"] = min(round(commit_interval_s * 1_000), TRANSACTION_LINGER_MS)
    else:
        config["delivery.timeout.ms"] = DELIVERY_TIMEOUT_MS
    return config


def consumer_properties(member: str, health: ProcessHealth | None) -> dict[str, Any]:
    """Return the properties of a consumer of `member`, whose statistics `health` receives."""
    config: dict[str, Any] = {
        "client.id": member,
        "isolation.level": "read_committed",
        "group.instance.id": member,
        "session.timeout.ms": SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
        "queued.min.messages": QUEUED_RECORDS,
        "fetch.queue.backoff.ms": FETCH_BACKOFF_MS,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
    }
    if health is not None:
        config["stats_cb"] = health.on_statistics
        config["statistics.interval.ms"] = STATISTICS_INTERVAL_MS
    return config
