"""The router: it writes the events of every batch to one inbox partition, and keeps no state.

Peers send without keys and in several wire eras. The router reads every input as raw bytes, normalises it into a
canonical event keyed by batch_id, and sends what it cannot read to the dead letters. At least once, with an idempotent
producer: `decide` absorbs repeats. It runs on a plain consume loop (`topology.stream.plain_loop`).
"""

from collections.abc import Mapping
from contextlib import ExitStack
from zlib import crc32

from runtime.kafka.admin import KafkaAdmin
from runtime.process import Process, run_process
from runtime.settings import Settings
from schemas.errors import StateError
from schemas.inbound.transform import RecordTransform
from schemas.topics import ROUTER_INPUTS, Topic
from topology.router.routing import Routing
from topology.router.start_offsets import InputOffsets
from topology.router.transform import registration_policy
from topology.stream.clients import ClientProperties, client_properties_of
from topology.stream.crash_guard import CrashGuard
from topology.stream.plain_loop import PlainLoop
from topology.topics import provisioning
from topology.topics.partition_watch import PartitionWatch

COMMIT_INTERVAL_S = 0.5
"""Seconds between commits. Outputs are sent at once; a commit only bounds what is repeated after a crash."""


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
    with watch, ExitStack() as stack:
        crashes = _crash_guard(process, cluster.cluster_id(), stack)
        loop = PlainLoop(
            list(inputs),
            Routing(table, {name: names[name] for name in inputs}, transform, process.metrics, process.health),
            router_properties(settings, inputs),
            commit_interval_s=COMMIT_INTERVAL_S,
            silence_timeout_s=settings.kafka_silence_timeout_s,
            health=process.health,
            guards=[offsets.guard],
            crashes=crashes,
        )
        loop.fence.twin_reports = process.twin_reports
        process.shutdown.runs(loop.stop)
        loop.run()


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


def router_properties(settings: Settings, inputs: Mapping[str, int]) -> ClientProperties:
    """Return the properties of the router's clients.

    The static member's id depends on `inputs` (real name: partitions). A static member that comes back within its
    session gets the assignment that it had, whatever it subscribes to: a topic that has appeared since would not be
    read, and no error would show it.
    """
    limits = settings.limits()
    properties = client_properties_of(
        settings,
        group=settings.router_group,
        largest_record=max(limits.inbox_bytes, limits.dead_letter_bytes),
        smallest_limit=min(limits.inbox_bytes, limits.dead_letter_bytes),
    )
    subscription = crc32(repr(sorted(inputs.items())).encode())
    properties.consumer["group.instance.id"] += f"-{subscription:08x}"
    return properties
