"""The orchestrator: one stateful stream from the inbox to all records of a decision, exactly once."""

from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import TopicPartition
from msgspec import Struct

from runtime.health import ProcessHealth
from runtime.kafka.admin import ClusterFacts, KafkaAdmin, Partition
from runtime.process import Process, run_process
from runtime.settings import Settings
from schemas.errors import TopicError
from schemas.topics import AnyTopic, Topic
from state.decision.decide import decide
from topology.orchestrator.metrics import DecisionMetrics
from topology.orchestrator.outbox import Outbox, destinations
from topology.orchestrator.processor import Decide, DecisionProcessor, Observe
from topology.state_directory import StateDirectory
from topology.stream.application import AssignmentGuard, StreamApplication
from topology.stream.crash_guard import CrashGuard
from topology.stream.guards import claim_offsets, wait_until_stable
from topology.stream.known_topics import KnownTopics
from topology.stream.library import StreamingDataFrame
from topology.stream.options import application_options
from topology.stream.payload import Payload
from topology.topics import provisioning
from topology.topics.deployed import deployed_topics
from topology.topics.partition_watch import PartitionWatch

DEAD_LETTER_HEADERS_BYTES = 32_768
"""Bytes that a dead letter needs in addition to the inbox record that it wraps."""
CRASHES = "crashes"
"""Directory, in the state directory, of what `CrashGuard` remembers."""


class StateIdentity(Struct, frozen=True, kw_only=True):
    """The cluster, inbox and group whose state a directory holds; with another inbox the state would be wrong."""

    cluster_id: str
    inbox_topic_id: str
    group: str


def run(settings: Settings) -> int:
    """Run the orchestrator until SIGTERM or SIGINT; returns the exit code."""
    return run_process("orchestrator", settings, _work)


def _work(process: Process) -> None:
    settings = process.settings
    for warning in provisioning.check(settings):
        process.log.warning("topic_differs", warning=warning)
    cluster = KafkaAdmin(settings.kafka())
    inbox, changelog = settings.topics().name(Topic.INBOX), settings.topics().changelog
    identity = StateIdentity(
        cluster_id=cluster.cluster_id(), inbox_topic_id=cluster.topic_id(inbox), group=settings.orchestrator_group
    )
    owner = f"{identity.cluster_id}/{identity.inbox_topic_id}/{identity.group}"
    with StateDirectory(settings.state_dir, identity), CrashGuard(settings.state_dir / CRASHES, owner) as crashes:
        observe = DecisionMetrics(process.metrics, process.health, inbox)
        on_commit = process.metrics.commit_seconds.observe
        application = build(
            settings, cluster, health=process.health, observe=observe, on_commit=on_commit, crashes=crashes
        )
        application.twin_reports = process.twin_reports
        process.health.watch_restored(application.restored)
        process.shutdown.runs(application.stop)
        watch = PartitionWatch(
            cluster,
            expected=cluster.partition_counts([inbox, changelog]),
            ids=cluster.topic_ids([inbox, changelog]),
            missing=(),
            interval_s=settings.topic_check_interval_s,
            on_change=process.restart,
        )
        with watch:
            application.run()


def build(
    settings: Settings,
    cluster: ClusterFacts,
    *,
    health: ProcessHealth | None = None,
    observe: Observe | None = None,
    on_commit: Callable[[float], None] = lambda _: None,
    crashes: CrashGuard | None = None,
    decide: Decide = decide,
    application: Any = StreamApplication,
) -> StreamApplication:
    """Return the application, ready to run.

    `decide` and `application` are the decision core and the library's application; tests replace them.

    Raises:
        ConfigurationError: the file of pipeline definitions is wrong.
        TopicError: the dead letter topic is too small for the largest inbox record.
        BrokerError: the cluster does not answer.
    """
    topics = deployed_topics(settings)
    inbox = topics.name(Topic.INBOX)
    names = {topic: topics.name(topic) for topic in destinations(topics)}
    sizes = cluster.max_message_bytes([*names.values(), topics.changelog, inbox])
    _check_dead_letters_fit(names[Topic.DEAD_LETTERS], inbox, sizes)
    limits = {topic: sizes[name] for topic, name in names.items()}
    options = application_options(
        settings,
        group=settings.orchestrator_group,
        guarantee=settings.processing_guarantee,
        largest_record=max(sizes.values()),
        smallest_limit=min(sizes.values()),
        commit_interval_s=settings.commit_interval_s,
        health=health,
    )

    def end_hanging(partitions: Sequence[Partition]) -> None:
        app.end_hanging(partitions)

    guards = [state_guard(cluster, inbox, topics.changelog, end_hanging)]
    app: StreamApplication = application(
        guards=guards,
        topics=KnownTopics(cluster, [*names.values(), topics.changelog, inbox]),
        on_commit=on_commit,
        silence_timeout_s=settings.kafka_silence_timeout_s,
        crashes=crashes,
        state_dir=settings.state_dir,
        **options,
    )
    outbox = Outbox(topics, limits, sizes[topics.changelog])
    processor = DecisionProcessor(
        outbox, generation=settings.generation, decide=decide, observe=observe, crashes=crashes
    )
    frame = _wire(app, inbox, names, processor)
    if settings.message_path == "own":
        app.take(frame, processor.process, names, stateful=True)
        app.dry_s = settings.commit_idle_s
    return app


def state_guard(
    cluster: ClusterFacts,
    inbox: str,
    changelog: str,
    end_hanging: Callable[[Sequence[Partition]], None] = lambda _: None,
) -> AssignmentGuard:
    """Return the guard that runs H2 and H3 (`topology.stream.guards`) before an assignment."""

    def guard(consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        assigned = [at for at in partitions if at.topic == inbox]
        if assigned:
            wait_until_stable(cluster, [(changelog, at.partition) for at in assigned], end_hanging=end_hanging)
            claim_offsets(consumer, cluster, assigned, changelog)

    return guard


def _wire(
    app: StreamApplication, inbox: str, names: dict[AnyTopic, str], processor: DecisionProcessor
) -> StreamingDataFrame:
    """Build the library's dataframe. It names topics, store and changelog to the library on both message paths."""
    payload = Payload()
    destinations = {topic: app.topic(name, value_serializer=payload) for topic, name in names.items()}
    source = app.topic(inbox, key_deserializer="bytes", value_deserializer="bytes")
    frame = app.dataframe(source)
    decided = frame.apply(processor, stateful=True, metadata=True, expand=True)
    decided.set_headers(lambda record, _key, _time, _headers: list(record.headers)).to_topic(
        lambda record, _key, _time, _headers: destinations[record.topic], key=lambda record: record.key
    )
    return frame


def _check_dead_letters_fit(dead_letters: str, inbox: str, sizes: dict[str, int]) -> None:
    if sizes[dead_letters] < sizes[inbox] + DEAD_LETTER_HEADERS_BYTES:
        raise TopicError(
            f"{dead_letters} accepts records of {sizes[dead_letters]} bytes, and {inbox} of {sizes[inbox]}: a dead "
            "letter is an inbox record plus headers.",
            next_step=f"Raise max.message.bytes of {dead_letters} to {sizes[inbox] + DEAD_LETTER_HEADERS_BYTES} or "
            "more.",
        )
