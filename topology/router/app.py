"""The router: a stateless stream application that writes the events of every batch to one inbox partition.

Peers send without keys and in several wire eras. The router reads every input as raw bytes, normalises it into a
canonical event keyed by batch_id, and sends what it cannot read to the dead letters. At least once, with an idempotent
producer: `decide` absorbs repeats. Each input is a dataframe of its own: joining them with `concat` would switch
the application to buffered, time-aligned polling.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

from quixstreams import message_context

from runtime.health import ProcessHealth
from runtime.kafka.admin import KafkaAdmin
from runtime.metrics import Metrics
from runtime.process import Process, run_process
from runtime.settings import Settings
from schemas.errors import StateError
from schemas.inbound.transform import RecordTransform
from schemas.internal.dead_letters import CODE
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.topics import ROUTER_INPUTS, AnyTopic, Topic, TopicTable
from topology.router.start_offsets import InputOffsets
from topology.router.transform import registration_policy
from topology.stream.application import StreamApplication
from topology.stream.crash_guard import CrashGuard, Verdict
from topology.stream.options import application_options
from topology.stream.payload import Payload
from topology.topics import provisioning
from topology.topics.partition_watch import PartitionWatch

COMMIT_INTERVAL_S = 0.5
"""Seconds between commits. Outputs are sent at once; a commit only bounds what is repeated after a crash."""
_NO_HEADERS: Mapping[str, bytes] = {}

Headers = Sequence[tuple[str, bytes | None]] | None


def run(settings: Settings) -> int:
    """Run the router until it is stopped; returns the exit code."""
    return run_process("router", settings, _work)


def _work(process: Process) -> None:
    settings, table = process.settings, process.settings.topics()
    transform = RecordTransform(registration_policy(settings), settings.limits())
    for warning in provisioning.check(settings, outputs=False):
        process.log.warning("topic_differs", difference=warning)
    cluster = KafkaAdmin(settings.kafka())
    names = {table.name(topic): topic for topic in ROUTER_INPUTS}
    inbox = table.name(Topic.INBOX)
    counts = cluster.partition_counts([*names, inbox])
    inputs = {name: count for name, count in counts.items() if name in names}
    offsets = InputOffsets(cluster, settings, inputs)
    start = offsets.claim()
    if start is not None:
        process.log.info("first_start", begins=start, topics=sorted(inputs))
    watch = PartitionWatch(
        cluster,
        expected=counts,
        ids=cluster.topic_ids(counts),
        missing=[name for name in names if name not in inputs],
        interval_s=settings.topic_check_interval_s,
        on_change=process.restart,
    )
    with TemporaryDirectory(prefix="batch-orchestrator-router-") as unused, watch, ExitStack() as stack:
        crashes = _crash_guard(process, cluster.cluster_id(), stack)
        options = router_options(settings, inputs, process.health)
        application = StreamApplication(
            guards=[offsets.guard],
            silence_timeout_s=settings.kafka_silence_timeout_s,
            crashes=crashes,
            **options,
            state_dir=Path(unused),
        )
        application.twin_reports = process.twin_reports
        topics = [names[name] for name in inputs]
        build(application, table, topics, transform, process.metrics, process.health, crashes)
        process.shutdown.runs(application.stop)
        application.run()


def _crash_guard(process: Process, cluster_id: str, stack: ExitStack) -> CrashGuard | None:
    """Return the guard against records that kill the router; None where its directory cannot be used.

    The router has no other state, so it works without: then such a record blocks its partition.
    """
    settings = process.settings
    directory = settings.state_dir / f"router-{settings.instance}"
    try:
        return stack.enter_context(CrashGuard(directory, f"{cluster_id}/{settings.router_group}"))
    except StateError as error:
        process.log.warning("no_crash_guard", reason=error.message, next_step=error.next_step)
        return None


def router_options(settings: Settings, inputs: Mapping[str, int], health: ProcessHealth) -> dict[str, Any]:
    """Return the stream library's arguments for the router, all but its state directory.

    The static member's id depends on `inputs` (real name: partitions). A static member that comes back within its
    session gets the assignment that it had, whatever it subscribes to: a topic that has appeared since would not be
    read, and no error would show it.
    """
    limits = settings.limits()
    options = application_options(
        settings,
        group=settings.router_group,
        guarantee="at-least-once",
        largest_record=max(limits.inbox_bytes, limits.dead_letter_bytes),
        smallest_limit=min(limits.inbox_bytes, limits.dead_letter_bytes),
        commit_interval_s=COMMIT_INTERVAL_S,
        health=health,
    )
    subscription = crc32(repr(sorted(inputs.items())).encode())
    options["consumer_extra_config"]["enable.partition.eof"] = True
    options["consumer_extra_config"]["group.instance.id"] += f"-{subscription:08x}"
    return options


def build(
    application: StreamApplication,
    table: TopicTable,
    inputs: Sequence[Topic],
    transform: RecordTransform,
    metrics: Metrics,
    health: ProcessHealth,
    crashes: CrashGuard | None = None,
) -> None:
    """Connect each of `inputs` through `transform` to the inbox or the dead letters."""
    outputs: dict[AnyTopic, Any] = {
        topic: application.topic(table.name(topic), value_serializer=Payload())
        for topic in (Topic.INBOX, Topic.DEAD_LETTERS)
    }
    written = {topic: metrics.records_written.labels(topic) for topic in outputs}

    def destination(outgoing: OutgoingRecord, *_: object) -> Any:
        written[outgoing.topic].inc()
        return outputs[outgoing.topic]

    for topic in inputs:
        source = application.topic(table.name(topic), value_deserializer="bytes")
        frame = application.dataframe(source)
        frame = frame.apply(_step(topic, table.name(topic), transform, metrics, health, crashes), metadata=True)
        frame = frame.set_headers(_headers)
        frame.to_topic(destination, key=_key)


def _step(
    topic: Topic,
    name: str,
    transform: RecordTransform,
    metrics: Metrics,
    health: ProcessHealth,
    crashes: CrashGuard | None,
) -> Callable[[bytes | None, bytes | None, int, Headers], OutgoingRecord]:
    read = metrics.records_read.labels(topic.value)
    letters = metrics.dead_letters
    apply, processed = transform.apply, health.processed

    def step(value: bytes | None, key: bytes | None, time_ms: int, headers: Headers) -> OutgoingRecord:
        context = message_context()
        at = RecordPosition(name, context.partition, context.offset, time_ms)
        given = {name: value for name, value in headers if value is not None} if headers else _NO_HEADERS
        verdict = Verdict.PROCESS
        if crashes is not None and crashes.careful:
            verdict = crashes.before(name, at.partition, at.offset)
        if verdict is Verdict.PROCESS:
            outgoing = apply(topic, at, key, value, given)
        else:
            outgoing = transform.crashed(topic, at, key, value, given, read=verdict is Verdict.QUARANTINE)
        if outgoing.topic is Topic.DEAD_LETTERS:
            letters.labels(dict(outgoing.headers)[CODE].decode()).inc()
        read.inc()
        processed(name, at.partition, time_ms)
        return outgoing

    return step


def _headers(outgoing: OutgoingRecord, *_: object) -> list[tuple[str, bytes]]:
    return list(outgoing.headers)


def _key(outgoing: OutgoingRecord) -> bytes:
    return outgoing.key
