"""The external resources of a worker: Kafka and the projection database. Tests replace them by fakes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from threading import Event

from msgspec import Struct

from api.kafka_log.consumer import KafkaLogConsumer
from api.kafka_log.ends import EndOffsets, KafkaEnds
from api.kafka_log.kafka_log import KafkaLog
from api.kafka_log.record_producer import KafkaRecordLog, RecordLog
from api.kafka_log.request_producer import KafkaRequestLog, RequestLog
from api.queries.projection import DatabaseProjection, ProjectionQueries
from api.replay.recorded import OpenFetcher
from api.settings import ApiSettings
from runtime.garbage import settle
from runtime.health import ProcessHealth, ProcessHealthReport
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.record_fetcher import RecordFetcher
from runtime.process_report import ProcessReporter
from schemas.topics import Topic
from state.projection import Identity


class Resources(Struct, frozen=True):
    """The clients through which a worker reads and writes."""

    log: Callable[[], KafkaLog]
    requests: RequestLog
    letters: RecordLog
    ends: EndOffsets
    projection: ProjectionQueries
    health: ProcessHealth
    """Health of this process, from the statistics of the consumer that reads the Kafka log."""
    fetcher: OpenFetcher
    """Opens a connection that fetches records by their coordinates, for one thread."""
    operations: RecordLog
    """Writes to the operations topic, and the tombstone of a process that is forgotten."""
    reporting: Callable[[Callable[[], ProcessHealthReport]], AbstractContextManager[object]]
    """Returns a context manager that reports this process on the processes topic, as the given function states it."""


MakeResources = Callable[[ApiSettings], AbstractAsyncContextManager[Resources]]


@asynccontextmanager
async def open_resources(settings: ApiSettings) -> AsyncIterator[Resources]:
    """Create the clients of the cluster and the database that the settings name; none connects yet."""
    topics, kafka = settings.topics(), settings.kafka()
    cluster = KafkaAdmin(kafka)
    silence_s = settings.kafka_silence_timeout_s / 2  # a new client must come before the callers' timeouts
    requests = KafkaRequestLog(
        kafka,
        topics.name(Topic.REQUESTS),
        timeout_s=settings.write_timeout_s,
        largest_bytes=settings.max_input_bytes,
        silence_s=silence_s,
    )
    letters = KafkaRecordLog(
        kafka,
        topics,
        timeout_s=settings.write_timeout_s,
        largest_bytes=settings.max_dead_letter_bytes,
        silence_s=silence_s,
    )
    projection = DatabaseProjection(
        settings.projection_url,
        lambda: _identity(cluster, topics.name(Topic.INBOX)),
        timeout_s=settings.projection_timeout_s,
    )
    stopping = Event()
    health = ProcessHealth("api", max_lag_s=settings.max_lag_s, grouped=False)
    try:
        yield Resources(
            log=lambda: KafkaLogConsumer(
                kafka,
                topics,
                settings.max_dead_letter_bytes,
                cluster,
                on_statistics=health.on_statistics,
                silence_s=silence_s,
            ),
            requests=requests,
            letters=letters,
            operations=letters,
            ends=KafkaEnds(cluster, topics),
            projection=projection,
            health=health,
            fetcher=lambda: RecordFetcher(kafka, "batch-orchestrator-api-replay", stopping=stopping),
            reporting=lambda report: ProcessReporter("api", settings, report, ready=settle),
        )
    finally:
        stopping.set()
        await requests.close()
        await letters.close()
        projection.close()


def _identity(cluster: KafkaAdmin, inbox: str) -> Identity:
    """Return the cluster and inbox whose events the projection must hold."""
    return Identity(cluster_id=cluster.cluster_id(), inbox_topic_id=cluster.topic_id(inbox))
