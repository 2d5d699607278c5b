"""Start offsets of the router: an operator decides on the first start; later starts need valid committed offsets.

At the first start offsets are committed first, then the record that the group has started is written. A router that
ended in between finds offsets without a record, and writes the record then.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from confluent_kafka import TopicPartition

from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.kafka.shared_client import REQUEST_TIMEOUT_S
from runtime.settings import Settings
from schemas.errors import BrokerError, Code, ConfigurationError
from schemas.internal.formats import GROUP_START
from schemas.internal.group_starts import GroupStart, KnownTopic
from schemas.topics import Topic
from topology.router.lost_offsets import LostOffset, PartitionState, lost_offsets, refuse_lost
from topology.router.start_record import read_start, write_start
from topology.stream.guards import GroupMember, claim, committed_offset

_COMMITTED_TIMEOUT_S = 30.0
_UNSET = "unset"
_NONE: Mapping[str, KnownTopic] = {}

Offsets = Mapping[Partition, int]


class InputOffsets:
    """The committed offsets of the router's group on its `inputs` (real name: partitions)."""

    def __init__(self, cluster: KafkaAdmin, settings: Settings, inputs: Mapping[str, int]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._inputs = dict(inputs)
        self._known: dict[str, KnownTopic] = {}
        self._partitions = [(topic, number) for topic, count in inputs.items() for number in range(count)]

    def claim(self) -> str | None:
        """Commit start offsets on partitions that the group has never read, and record that it has started.

        Returns the setting of the start, or None if the group has started before: topics and partitions that have
        appeared since are then read from their beginning.

        Raises:
            ConfigurationError: it is the first start, ROUTER_START is unset and there are records.
            StateError: it has started before, and its offsets are no longer valid.
            BrokerError: the cluster does not answer.
        """
        committed, known, started = self._read_state()
        if not started:
            begin = _begin(self._cluster, self._settings, self._partitions)
            self._commit(begin)
            self._remember(begin, known)
            return self._settings.router_start or _UNSET
        refuse_lost(self._lost(committed, known))
        self._remember(committed, known)
        return None

    def guard(self, consumer: GroupMember, partitions: Sequence[TopicPartition]) -> None:
        """Check at an assignment that the offsets are still valid, and claim partitions that are new.

        It is a guard of `StreamApplication`: a group with members accepts offsets from its members only.

        Raises:
            StateError: the offsets of a partition are no longer valid.
        """
        states = {}
        for at in consumer.committed(list(partitions), timeout=_COMMITTED_TIMEOUT_S):
            committed = committed_offset(at)
            first, end = consumer.get_watermark_offsets(at, timeout=REQUEST_TIMEOUT_S)
            known = self._known.get(at.topic)
            states[at.topic, at.partition] = PartitionState(
                committed=committed, first=first, end=end, topic_id=known.id if known else ""
            )
        refuse_lost(lost_offsets(states, self._known))
        claims = [TopicPartition(*at, state.first) for at, state in states.items() if state.committed is None]
        if claims:
            claim(consumer, claims)

    def lost(self) -> list[LostOffset]:
        """Return the partitions whose offsets are no longer valid. Raises `BrokerError`."""
        committed, known, started = self._read_state()
        return self._lost(committed, known) if started else []

    def resume(self, start: str) -> dict[Partition, int]:
        """Commit offsets for `start` (`earliest`, `latest`, ISO 8601) on partitions whose offsets are no longer valid.

        Returns the new offset of each of them. The group must have no members.

        Raises:
            BrokerError: the cluster does not answer, or a router is running.
        """
        committed, known, started = self._read_state()
        at = [(one.topic, one.partition) for one in self._lost(committed, known)] if started else []
        if not at:
            return {}
        begin = _places(self._cluster, at, start)
        self._commit(begin)
        self._remember({**committed, **begin}, known)
        return dict(begin)

    def _read_state(self) -> tuple[Offsets, Mapping[str, KnownTopic], bool]:
        """Return the committed offsets, the topics that the group has read, and whether it has started before."""
        settings, table = self._settings, self._settings.topics()
        record = read_start(settings.kafka(), table.name(Topic.STARTS), settings.router_group)
        with self._group() as group:
            committed = group.read(self._partitions)
        if record is not None:
            return committed, record.topics, True
        if committed:
            return committed, _NONE, True  # by a version that kept no record, or a start that ended half-way
        inbox = table.name(Topic.INBOX)
        written = [(inbox, number) for number in range(table.partitions)]
        if any(self._cluster.log_ends(written, committed=False).values()):
            # Something was routed before: by this group, whose offsets are gone, or by one of another name.
            return committed, self._present(), True
        return committed, _NONE, False

    def _lost(self, committed: Offsets, known: Mapping[str, KnownTopic]) -> list[LostOffset]:
        first = self._cluster.log_starts(self._partitions)
        ends = self._cluster.log_ends(self._partitions, committed=False)
        ids = self._cluster.topic_ids(self._inputs)
        states = {
            at: PartitionState(committed=committed.get(at), first=first[at], end=ends[at], topic_id=ids[at[0]])
            for at in self._partitions
        }
        return lost_offsets(states, known)

    def _present(self) -> dict[str, KnownTopic]:
        ids = self._cluster.topic_ids(self._inputs)
        return {topic: KnownTopic(id=ids[topic], partitions=count) for topic, count in self._inputs.items()}

    def _remember(self, committed: Offsets, known: Mapping[str, KnownTopic]) -> None:
        """Write the start record, unless it is unchanged; topics that are missing now stay in it."""
        self._known = dict(known)
        for topic, now in self._present().items():
            claimed = next((number for number in range(now.partitions) if (topic, number) not in committed), None)
            if claimed != 0:
                self._known[topic] = now if claimed is None else KnownTopic(id=now.id, partitions=claimed)
        if self._known == known:
            return
        settings = self._settings
        start = GroupStart(
            writer=GROUP_START.version,
            least_reader=GROUP_START.least_reader,
            group=settings.router_group,
            topics=self._known,
        )
        write_start(settings.kafka(), settings.topics().name(Topic.STARTS), start)

    def _commit(self, offsets: Offsets) -> None:
        with self._group() as group:
            try:
                group.commit(offsets)
            except BrokerError as error:
                raise BrokerError(
                    f"The router's offsets cannot be committed: {error.message}",
                    next_step="Check that the brokers run, that this client may write its group, and that no router "
                    "runs while offsets are set; a stopped one stays in its group for 6 s. Then start it again.",
                ) from error

    def _group(self) -> CommittedOffsets:
        return CommittedOffsets(self._settings.kafka(), self._settings.router_group, timeout_s=REQUEST_TIMEOUT_S)


def _begin(cluster: KafkaAdmin, settings: Settings, partitions: Sequence[Partition]) -> Offsets:
    start = settings.router_start or _UNSET
    if start == _UNSET:
        earliest = cluster.log_starts(partitions)
        _refuse_records(settings.router_group, earliest, cluster.log_ends(partitions, committed=False))
        return earliest
    return _places(cluster, partitions, start)


def _places(cluster: KafkaAdmin, partitions: Sequence[Partition], start: str) -> Offsets:
    if start == "earliest":
        return cluster.log_starts(partitions)
    latest = cluster.log_ends(partitions, committed=False)
    if start == "latest":
        return latest
    moment = datetime.fromisoformat(start)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    found = cluster.offsets_since(partitions, int(moment.timestamp() * 1000))
    return {at: offset if offset >= 0 else latest[at] for at, offset in found.items()}


def _refuse_records(group: str, earliest: Offsets, latest: Offsets) -> None:
    filled = sorted({topic for (topic, number), end in latest.items() if end > earliest[topic, number]})
    if filled:
        raise ConfigurationError(
            f"Group {group} starts for the first time, and there are records on {', '.join(filled)}: the operator "
            "must decide where to begin.",
            next_step="Set ROUTER_START to earliest (read everything that is there), latest (only what comes from now "
            "on) or an ISO 8601 time (what came since, for example when the service before was stopped).",
            code=Code.ROUTER_START,
        )
