"""The worker's doors to the outside: Kafka and the projection database. Tests put fakes in their place."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from confluent_kafka import KafkaException, TopicCollection
from msgspec import Struct

from api.kafka_log.consumer import KafkaLog, KafkaLogConsumer, unreachable
from api.kafka_log.ends import EndOffsets, KafkaEnds
from api.kafka_log.request_producer import KafkaRequestLog, RequestLog
from api.monitoring.consumer_groups import Group, Groups, GroupWatch
from api.queries.database import DatabaseProjection
from api.queries.projection import ProjectionQueries
from api.settings import ApiSettings
from runtime.kafka.lasting_admin import LastingAdmin
from schemas.topics import ROUTER_INPUTS, Topic
from state.projection import Identity

_TIMEOUT_S = 10.0


class Resources(Struct, frozen=True):
    """What a worker reads and writes."""

    log: Callable[[], KafkaLog]
    requests: RequestLog
    ends: EndOffsets
    projection: ProjectionQueries
    groups: Groups


MakeResources = Callable[[ApiSettings], AbstractAsyncContextManager[Resources]]


@asynccontextmanager
async def open_resources(settings: ApiSettings) -> AsyncIterator[Resources]:
    """Open the cluster and the database that the settings name; nothing is asked of them yet."""
    topics, kafka = settings.topics(), settings.kafka()
    silence_s = settings.kafka_silence_timeout_s / 2  # new clients come early enough for whoever waits for an answer
    admin = LastingAdmin(kafka, topics.name(Topic.INBOX), silence_s=silence_s)
    requests = KafkaRequestLog(
        kafka,
        topics.name(Topic.REQUESTS),
        timeout_s=settings.write_timeout_s,
        largest_bytes=settings.max_input_bytes,
        silence_s=silence_s,
    )
    projection = DatabaseProjection(settings.projection_url, lambda: _identity(admin, topics.name(Topic.INBOX)))
    groups = GroupWatch(kafka, _groups(settings), interval_s=settings.health_interval_s)
    groups.start()
    admin.start()
    try:
        yield Resources(
            log=lambda: KafkaLogConsumer(kafka, topics, settings.max_dead_letter_bytes, silence_s=silence_s),
            requests=requests,
            ends=KafkaEnds(admin, topics),
            projection=projection,
            groups=groups,
        )
    finally:
        admin.stop()
        groups.stop()
        await requests.close()
        projection.close()


def _groups(settings: ApiSettings) -> list[Group]:
    topics = settings.topics()
    return [
        Group("router", settings.router_group, tuple(topics.name(topic) for topic in ROUTER_INPUTS)),
        Group("orchestrator", settings.orchestrator_group, (topics.name(Topic.INBOX),)),
        Group("projector", settings.projector_group, ()),
    ]


def _identity(admin: LastingAdmin, inbox: str) -> Identity:
    """Return whose events a projection of this cluster holds."""
    try:
        cluster = admin.describe_cluster(request_timeout=_TIMEOUT_S).result()
        described = admin.describe_topics(TopicCollection([inbox]), request_timeout=_TIMEOUT_S)
        return Identity(cluster_id=cluster.cluster_id, inbox_topic_id=str(described[inbox].result().topic_id))
    except KafkaException as error:
        raise unreachable(error) from error
