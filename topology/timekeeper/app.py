"""The timekeeper: one loop that follows the status topic and fires the deadlines that the gate lets pass.

At least once: deadlines are kept on disk with the offsets that they stand for, and a deadline that is fired again, by
this process or by another one, is without effect.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing

from confluent_kafka import KafkaError, KafkaException
from msgspec import Struct

from runtime import exit_codes
from runtime.kafka.admin import KafkaAdmin
from runtime.process import Process, run_process
from runtime.settings import Settings
from schemas.errors import Code
from schemas.internal.processes import ProcessProblem
from schemas.topics import ROUTER_INPUTS, Topic
from topology.state_directory import StateDirectory
from topology.stream.exit import fenced, instance_taken, leave
from topology.stream.fencing import fence_of
from topology.stream.liveness import ASSIGNMENT_S, FENCE_S, StreamLiveness
from topology.timekeeper.clock import BrokerClock
from topology.timekeeper.firing import Firing
from topology.timekeeper.follower import StatusFollower
from topology.timekeeper.gate import Gate, GateWatch, router_offsets
from topology.timekeeper.inbox_writer import KafkaInboxWriter
from topology.timekeeper.index import ArmedDeadline, DeadlineIndex
from topology.timekeeper.metrics import DeadlineMetrics
from topology.topics import provisioning
from topology.topics.partition_watch import PartitionWatch

POLL_S = 0.1
"""Seconds that a turn of the loop waits for status records: how late a deadline can be fired."""
MORE_POLL_S = 0.002
"""The same while more is due: deadlines are fired in chunks."""
_OFFSETS_TIMEOUT_S = 6.0


class IndexIdentity(Struct, frozen=True, kw_only=True):
    """The cluster and the status topic that an index reflects."""

    cluster_id: str
    status_topic_id: str


def run(settings: Settings) -> int:
    """Run the timekeeper until it is stopped; returns the exit code."""
    return run_process("timekeeper", settings, _work)


def _work(process: Process) -> None:
    settings, table = process.settings, process.settings.topics()
    for warning in provisioning.check(settings, outputs=False):
        process.log.warning("topic_differs", difference=warning)
    cluster = KafkaAdmin(settings.kafka())
    status = table.name(Topic.STATUS)
    identity = IndexIdentity(cluster_id=cluster.cluster_id(), status_topic_id=cluster.topic_id(status))
    own = [status, table.name(Topic.INBOX)]
    watch = PartitionWatch(
        cluster,
        expected=cluster.partition_counts(own),
        ids=cluster.topic_ids(own),
        missing=(),
        interval_s=settings.topic_check_interval_s,
        on_change=process.restart,
    )
    directory = StateDirectory(settings.timekeeper_dir, identity, setting="TIMEKEEPER_DIR", source="the status topic")
    with directory, closing(DeadlineIndex(directory.path / "index")) as index, watch:
        _Timekeeper(process, cluster, index).run()


class _Timekeeper:
    """The parts of a timekeeper, connected, and its loop."""

    def __init__(self, process: Process, cluster: KafkaAdmin, index: DeadlineIndex) -> None:
        settings, table = process.settings, process.settings.topics()
        self._process = process
        self._status = table.name(Topic.STATUS)
        self._clock = BrokerClock()
        self._gate = Gate()
        self._metrics = DeadlineMetrics(process.metrics, index)
        self._liveness = StreamLiveness(
            lambda: self._follower.consumer, lambda: self._writer.producer, bound_s=settings.kafka_silence_timeout_s
        )
        member = f"{settings.timekeeper_group}-{settings.instance}"
        self._writer = KafkaInboxWriter(
            settings.kafka(), table.name(Topic.INBOX), client_id=member, turned=self._liveness.turned
        )
        self._follower = StatusFollower(
            settings.kafka(),
            topic=self._status,
            group=settings.timekeeper_group,
            member=member,
            index=index,
            cluster=cluster,
            listener=self,
        )
        self._firing = Firing(
            index,
            self._writer,
            topic=self._status,
            pause_s=settings.timekeeper_pause_s,
            observe=self._fired,
            early=self._fired_early,
        )
        self._gate_watch = GateWatch(
            self._gate,
            self._clock,
            cluster,
            inputs=[table.name(topic) for topic in ROUTER_INPUTS],
            offsets=router_offsets(settings.kafka(), settings.router_group, _OFFSETS_TIMEOUT_S),
        )
        self._more_due = False
        self._connect_health()

    def run(self) -> None:
        """Follow and fire until the process is asked to stop."""
        stopping = self._process.shutdown.asked
        self._process.shutdown.runs(lambda: None)  # the loop sees by itself that it is to end
        with self._liveness.watching(self._status), ExitStack() as stack:
            stack.callback(self._follower.consumer.close)
            stack.callback(self._liveness.stop_asking)
            stack.enter_context(self._gate_watch)
            self._follower.subscribe()
            try:
                while not stopping.is_set():
                    self._turn()
            except KafkaException as error:
                reason = fence_of(error)
                if reason is None:
                    raise
                self._leave_fenced(reason)

    def _turn(self) -> None:
        self._liveness.turned()
        self._follower.read(MORE_POLL_S if self._more_due else POLL_S)
        until_ms = self._gate.open_until_ms
        self._more_due = until_ms is not None and self._firing.fire(self._follower.current, until_ms) > 0
        self._metrics.count(self._follower.assigned, self._clock.now_ms())

    def _connect_health(self) -> None:
        process, bound_s = self._process, self._process.settings.max_lag_s

        def problems() -> list[ProcessProblem]:
            problem = self._gate.problem(bound_s)
            return [] if problem is None else [problem]

        process.health.watch_problems(problems)
        process.health.watch_gate(lambda: self._gate.open_until_ms)
        process.health.watch_restored(lambda: self._follower.current == self._follower.assigned)
        process.metrics.deadline_gate_age_seconds.set_function(lambda: self._gate.age_s)
        if process.reporter is not None:
            process.reporter.on_append = self._clock.observe

    def on_statistics(self, statistics: str) -> None:
        """Pass the consumer's statistics on."""
        self._liveness.on_statistics(statistics)
        self._process.health.on_statistics(statistics)

    def read(self, partition: int, records: int, time_ms: int) -> None:
        """Note that status records were read, the last of them appended at `time_ms`."""
        self._clock.observe(time_ms)
        self._process.metrics.records_read.labels(Topic.STATUS.value).inc(records)
        self._process.health.processed(self._status, partition, time_ms)

    def unreadable(self, what: str) -> None:
        """Note a record that cannot be used: the deadline before it stays armed."""
        self._process.metrics.unreadable_records.labels(Topic.STATUS.value).inc()
        self._process.log.error("unreadable", at=what, code=Code.UNREADABLE)

    def allow_assignment(self) -> AbstractContextManager[None]:
        """Give the loop time for an assignment."""
        return self._liveness.allow(ASSIGNMENT_S)

    def _fired(self, deadlines: Sequence[tuple[ArmedDeadline, int]]) -> None:
        self._clock.observe(max(time_ms for _, time_ms in deadlines))
        self._metrics.fired(deadlines)

    def _fired_early(self, append_ms: int) -> None:
        """Begin anew with the broker's clock, which has been set back, and with the gate that was opened by it."""
        self._clock.set_back(append_ms)
        self._gate.close()

    def _leave_fenced(self, reason: KafkaError) -> None:
        with self._liveness.allow(FENCE_S):
            taken = self._process.twin_reports()
        if taken:
            leave(exit_codes.CONFIGURATION, instance_taken(reason.str()))
        leave(exit_codes.LOST, fenced(reason.str()))
