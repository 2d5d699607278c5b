"""The projector: status, history and dead letters from Kafka into the projection database.

At least once, and every row is guarded by its version, so that repeats change nothing. The database says where to go
on; one that was lost or emptied is rebuilt from the beginning of the topics.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime.health import ProcessHealth
from runtime.kafka.admin import KafkaAdmin
from runtime.logs import get_logger
from runtime.metrics import Metrics
from runtime.process import Process, run_process
from runtime.settings import Settings
from schemas.errors import Code
from schemas.internal.outgoing import RecordPosition
from schemas.topics import Topic
from state.projection import Applied, Identity, ProjectedRecord, Writer, checkpointing, open_engine
from topology.projector.sink import PRUNE_INTERVAL_S, ProjectionSink, StartFromProjection, retry_database
from topology.stream.application import StreamApplication
from topology.stream.known_topics import KnownTopics
from topology.stream.library import message_context
from topology.stream.message_path import DirectStore, Headers, Step
from topology.stream.options import application_options
from topology.topics import provisioning
from topology.topics.partition_watch import PartitionWatch

INPUTS = (Topic.STATUS, Topic.HISTORY, Topic.DEAD_LETTERS)
COMMIT_INTERVAL_S = 0.25
"""Longest time (seconds) between transactions of the database, and so the age of what a read returns."""
_IDLE_S_PER_RECORD = 0.005
"""See `idle_before_commit_s`."""


def run(settings: Settings) -> int:
    """Run the projector until it is stopped; returns the exit code."""
    return run_process("projector", settings, _work)


def _work(process: Process) -> None:
    settings, table = process.settings, process.settings.topics()
    engine = open_engine(
        settings.projection_url
    )  # first, so that a wrong URL is reported even if the cluster does not answer
    try:
        for warning in provisioning.check(settings, outputs=False):
            process.log.warning("topic_differs", difference=warning)
        cluster = KafkaAdmin(settings.kafka())
        topics = {table.name(topic): topic for topic in INPUTS}
        writer = Writer(engine, retention_ms=table.retention_ms)
        identity = Identity(cluster.cluster_id(), cluster.topic_id(table.name(Topic.INBOX)))
        ids = cluster.topic_ids(topics)
        retry_database(lambda: writer.prepare(identity), stopping=process.shutdown.asked)
        bound = {topics[name]: given for name, given in ids.items()}
        retry_database(lambda: writer.bind_topics(bound), stopping=process.shutdown.asked)
        sink = ProjectionSink(
            writer,
            topics,
            stopping=process.shutdown.asked,
            observe=observer(process.metrics),
            prune_interval_s=min(PRUNE_INTERVAL_S, table.retention_ms / 1000),
        )
        start = StartFromProjection(sink, topics, cluster)
        watch = PartitionWatch(
            cluster,
            expected=cluster.partition_counts(topics),
            ids=ids,
            missing=(),
            interval_s=settings.topic_check_interval_s,
            on_change=process.restart,
        )
        checkpoints = checkpointing(engine, lambda reason: process.log.warning("checkpoint_failed", reason=reason))
        with TemporaryDirectory(prefix="batch-orchestrator-projector-") as unused, watch, checkpoints:
            options = projector_options(settings, process.health)
            application = StreamApplication(
                guards=[start],
                topics=KnownTopics(cluster, list(topics)),
                silence_timeout_s=settings.kafka_silence_timeout_s,
                **options,
                state_dir=Path(unused),
            )
            application.twin_reports = process.twin_reports
            sink.allowing = application.allow
            own = settings.message_path == "own"
            build(application, topics, sink, process.metrics, process.health, own_path=own)
            process.shutdown.runs(application.stop)
            application.run()
    finally:
        engine.dispose()


def projector_options(settings: Settings, health: ProcessHealth) -> dict[str, Any]:
    """Return the stream library's arguments for the projector, all but its state directory."""
    return application_options(
        settings,
        group=settings.projector_group,
        guarantee="at-least-once",
        largest_record=settings.limits().dead_letter_bytes,
        commit_interval_s=COMMIT_INTERVAL_S,
        health=health,
    )


def build(
    application: StreamApplication,
    topics: Mapping[str, Topic],
    sink: ProjectionSink,
    metrics: Metrics,
    health: ProcessHealth,
    *,
    own_path: bool = False,
) -> None:
    """Connect each of `topics`, given by real names, to `sink`, on the product's own message path or the library's."""
    for name, topic in topics.items():
        source = application.topic(name, value_deserializer="bytes", key_deserializer="bytes")
        frame = application.dataframe(source)
        frame.update(_noting(name, health), metadata=True)
        frame.sink(sink)  # on either path: its checkpoints flush the sink
        if own_path:
            # History has no headers that matter. They are read for each record, or not at all.
            application.take(frame, _step(sink, health), {}, with_headers=topic is not Topic.HISTORY)

    def written(records: Sequence[ProjectedRecord]) -> None:
        # Not at each record: a counter with its lock costs as much as reading the record.
        for topic, number in Counter(record.topic for record in records).items():
            metrics.records_read.labels(topic.value).inc(number)
        application.dry_s = idle_before_commit_s(len(records))

    sink.written = written


def idle_before_commit_s(records: int) -> float:
    """Return how long nothing may come before records are written, by the number of those written before.

    A single record is visible at once. From 200 records/s on transactions grow until `COMMIT_INTERVAL_S` bounds them,
    because many records in one transaction cost less CPU and fewer bytes than a few in each of many.
    """
    return min(COMMIT_INTERVAL_S, _IDLE_S_PER_RECORD * records)


def _noting(name: str, health: ProcessHealth) -> Callable[..., None]:
    def note(_value: object, _key: object, time_ms: int, _headers: object) -> None:
        health.processed(name, message_context().partition, time_ms)

    return note


def _step(sink: ProjectionSink, health: ProcessHealth) -> Step:
    def take(
        at: RecordPosition, key: bytes | None, value: bytes | None, headers: Headers, _store: DirectStore
    ) -> tuple[()]:
        health.processed(at.topic, at.partition, at.time_ms)
        given = [(name, content) for name, content in headers if content is not None]
        sink.add(value, key, at.time_ms, given, at.topic, at.partition, at.offset)
        return ()

    return take


def observer(metrics: Metrics) -> Callable[[Applied, float], None]:
    """Return a function that counts each transaction and logs chain breaks and unreadable records."""
    log = get_logger(__name__)

    def observe(applied: Applied, seconds: float) -> None:
        metrics.projection_commit_seconds.observe(seconds)
        for found in applied.chain_breaks:
            metrics.chain_breaks.inc()
            log.error(
                "chain_break",
                batch_id=found.batch_id,
                inbox=f"[{found.partition}]@{found.offset}",
                based_on=found.based_on,
                expected=found.expected,
                code=Code.CHAIN_BREAK,
            )
        for record in applied.unreadable:
            metrics.unreadable_records.labels(record.topic.value).inc()
            log.error(
                "unreadable",
                at=f"{record.topic.value}[{record.partition}]@{record.offset}",
                reason=record.reason,
                code=Code.UNREADABLE,
            )

    return observe
