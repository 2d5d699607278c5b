"""On a broker that makes topics for whoever asks, peers get theirs and the product's own clients make none."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from api.kafka_log.consumer import KafkaLogConsumer
from api.kafka_log.request_producer import KafkaRequestLog
from cli.broker import DevBroker
from runtime.kafka.admin import KafkaAdmin
from runtime.settings import Settings
from schemas.errors import BrokerError, TopicError
from tests.patience import PATIENCE_S
from topology.stream.application import StreamApplication
from topology.stream.options import application_options
from topology.topics import provisioning

DEADLINE_S = PATIENCE_S


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevBroker]:
    # A directory of any name: its path goes through Java's properties, options and file names.
    data = tmp_path_factory.mktemp("broker") / "a b#50%ü\\'=:?"
    with DevBroker(heap_megabytes=384, data_dir=data) as running:
        assert (data / "node-1" / "data" / "meta.properties").exists()
        yield running


@pytest.fixture
def settings(broker: DevBroker) -> Settings:
    return Settings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"none-{uuid.uuid4().hex[:8]}")


def topics_of(broker: DevBroker) -> dict[str, int]:
    known = AdminClient({"bootstrap.servers": broker.bootstrap_servers}).list_topics(timeout=DEADLINE_S).topics
    return {name: len(found.partitions) for name, found in known.items()}


def test_a_peers_own_topic_is_made_when_it_publishes(broker: DevBroker) -> None:
    topic = f"huleedu.els.essay.slot.assigned.{uuid.uuid4().hex[:8]}"
    failures: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        failures.append(error)

    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "acks": "all"})
    producer.produce(topic, b"{}", on_delivery=delivered)
    assert producer.flush(DEADLINE_S) == 0
    assert failures == [None]
    assert topics_of(broker)[topic] == 3


def refused(call: Callable[[], object]) -> None:
    with pytest.raises((BrokerError, TopicError, KafkaException)):
        call()


def test_no_client_of_the_product_makes_a_topic(broker: DevBroker, settings: Settings) -> None:
    kafka, name = settings.kafka(), f"{settings.topic_prefix}.batch.requests.v1"
    admin = KafkaAdmin(kafka)
    assert admin.partition_counts([name]) == {}
    refused(lambda: admin.topic_id(name))
    AdminClient(kafka).list_topics(name, timeout=DEADLINE_S)
    log = KafkaLogConsumer(kafka, settings.topics(), 1_048_576)
    refused(log.reach)
    log.close()
    refused(lambda: provisioning.check(settings))

    consumer = Consumer({**kafka, "group.id": settings.topic_prefix})
    consumer.assign([TopicPartition(name, 0, 0)])
    consumer.poll(1)
    consumer.subscribe([name])
    consumer.poll(1)
    consumer.close()

    async def write() -> None:
        requests = KafkaRequestLog(kafka, name, timeout_s=3, largest_bytes=1_000)
        with pytest.raises(BrokerError):
            await requests.append(b"k", b"v")
        await requests.close()

    asyncio.run(write())
    assert not [found for found in topics_of(broker) if found.startswith(settings.topic_prefix)]


def test_no_stream_application_makes_a_topic(broker: DevBroker, settings: Settings) -> None:
    name = f"{settings.topic_prefix}.batch.inbox.v1"
    options = application_options(
        settings, group=settings.topic_prefix, guarantee="at-least-once", largest_record=1_000_000
    )
    for kind in ("producer_extra_config", "consumer_extra_config"):
        assert options[kind]["allow.auto.create.topics"] is False
    application = StreamApplication(**options)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, **options["producer_extra_config"]})
    producer.produce(name, b"v")
    with pytest.raises(Exception, match=name):
        application.topic(name)
    until = time.monotonic() + DEADLINE_S
    while "unknown" not in str(producer.list_topics(name, timeout=DEADLINE_S).topics[name].error).lower():
        assert time.monotonic() < until
    producer.purge()
    assert name not in topics_of(broker)
