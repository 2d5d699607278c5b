"""Bare clients of a broker, for tests of the broker itself."""

from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.patience import PATIENCE_S, await_that


def create_topic(bootstrap_servers: str, *, replicas: int = 1) -> str:
    name = f"test-broker-{uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=replicas)])[name].result(PATIENCE_S)
    return name


def produce(bootstrap_servers: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(PATIENCE_S) == 0


def read_committed(bootstrap_servers: str, topic: str, count: int) -> list[bytes | None]:
    """All committed values of the topic's only partition, as soon as there are `count`."""
    config = {"group.id": str(uuid4()), "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, **config})
    values: list[bytes | None] = []
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])

        def at_the_end() -> bool:
            message = consumer.poll(1)
            if message is None:
                return False
            error = message.error()
            if error is None:
                values.append(message.value())
            return error is not None and error.code() == KafkaError._PARTITION_EOF and len(values) >= count

        await_that(at_the_end, f"{topic} has {count} committed values")
        return values
    finally:
        consumer.close()
