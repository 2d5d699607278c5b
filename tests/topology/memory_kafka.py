"""A Kafka cluster in memory: partitioned logs, transactions with their markers, and groups' offsets.

It keeps to what the orchestrator's correctness rests on. A transaction's records lie in the log from the moment they
are produced; a marker ends them, takes an offset of its own, and makes them visible or not to those who read committed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import AnyTopic, TopicTable

START_MS = 1_700_000_000_000
Partition = tuple[str, int]
Headers = tuple[tuple[str, bytes], ...]


@dataclass
class Entry:
    """One offset of a log: a record, or a transaction's marker."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    time_ms: int
    state: Literal["open", "committed", "aborted", "marker"] = "committed"


@dataclass
class Transaction:
    entries: list[tuple[Partition, Entry]] = field(default_factory=list)
    offsets: dict[tuple[str, str, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A record as a reader sees it, without position and time, which differ between runs."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class MemoryKafka:
    """A cluster in memory. Implements `runtime.kafka.admin.ClusterFacts`."""

    def __init__(self, table: TopicTable, *, cluster: str = "memory") -> None:
        self.table = table
        self._cluster = cluster
        self.logs: dict[Partition, list[Entry]] = {}
        self.offsets: dict[tuple[str, str, int], int] = {}
        """Committed offsets by (group, topic, partition)."""
        self.sizes = {spec.name: spec.max_message_bytes for spec in table.specs()}
        self.counts = {spec.name: spec.partitions for spec in table.specs()}
        for topic, count in self.counts.items():
            for number in range(count):
                self.logs[topic, number] = []
        self._open: dict[str, Transaction] = {}
        self._epochs: dict[str, int] = defaultdict(int)
        self._unsettled: list[tuple[Partition, Entry]] = []
        self.late_markers: set[str] = set()
        """Topics whose commit markers come late, as on a slow replica; `settle` writes them."""
        self.looks_until_settled = 0
        """Number of requests for a stable end after which late markers are written automatically; 0 for never."""

    # What the orchestrator asks a cluster

    def cluster_id(self) -> str:
        return self._cluster

    def topic_id(self, topic: str) -> str:
        return f"id-of-{topic}"

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {topic: self.topic_id(topic) for topic in topics if topic in self.counts}

    def log_starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, 0)

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return {topic: self.counts[topic] for topic in topics if topic in self.counts}

    def replica_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(self.partition_counts(topics), 1)

    def topic_configs(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        return {topic: {"retention.ms": "-1", "retention.bytes": "-1"} for topic in topics}

    def max_message_bytes(self, topics: Sequence[str]) -> dict[str, int]:
        return {topic: self.sizes[topic] for topic in topics}

    def log_ends(self, partitions: Sequence[Partition], *, committed: bool) -> dict[Partition, int]:
        if committed and self.looks_until_settled:
            self.looks_until_settled -= 1
            if not self.looks_until_settled:
                self.settle()
        return {at: self.stable_end(at) if committed else len(self.logs[at]) for at in partitions}

    # Logs

    def partition_of(self, topic: str, key: bytes | None) -> int:
        return crc32(key or b"") % self.counts[topic]

    def append(self, at: Partition, key: bytes | None, value: bytes | None, headers: Headers = ()) -> tuple[Entry, int]:
        """Add a record; the broker stamps it, a second after the one before it."""
        log = self.logs[at]
        entry = Entry(key, value, headers, START_MS + 1_000 * len(log))
        log.append(entry)
        return entry, len(log) - 1

    def send(self, outgoing: OutgoingRecord, *, key: bytes | None = None) -> Partition:
        """Write a record as another process would; returns its position."""
        topic = self.table.name(outgoing.topic)
        key = outgoing.key if key is None else key
        at = (topic, self.partition_of(topic, key))
        self.append(at, key, outgoing.value, outgoing.headers)
        return at

    def stable_end(self, at: Partition) -> int:
        """Return the offset before which everything is committed or aborted."""
        for offset, entry in enumerate(self.logs[at]):
            if entry.state == "open":
                return offset
        return len(self.logs[at])

    def read(self, *topics: AnyTopic, state: Literal["committed", "aborted"] = "committed") -> list[Record]:
        """Return the records of topics, partition by partition."""
        names = [self.table.name(topic) for topic in topics]
        return [
            Record(topic, number, entry.key, entry.value, entry.headers)
            for topic in names
            for number in range(self.counts[topic])
            for entry in self.logs[topic, number]
            if entry.state == state
        ]

    # Transactions

    def init_transactions(self, name: str) -> int:
        """Abort the open transaction of a predecessor with this name; returns the epoch that fences it."""
        if name in self._open:
            self.end(name, "aborted")
        self._epochs[name] += 1
        return self._epochs[name]

    def fenced(self, name: str, epoch: int) -> bool:
        return self._epochs[name] != epoch

    def begin(self, name: str) -> None:
        assert name not in self._open, "a transaction is open"
        self._open[name] = Transaction()

    def transaction(self, name: str) -> Transaction:
        return self._open[name]

    def end(self, name: str, state: Literal["committed", "aborted"]) -> None:
        """Commit or abort offsets and records together; writes a marker at the end of each partition."""
        transaction = self._open.pop(name)
        if state == "committed":
            self.offsets.update(transaction.offsets)
        late = [(at, entry) for at, entry in transaction.entries if at[0] in self.late_markers]
        self._unsettled += late
        touched: dict[Partition, None] = {}
        for at, entry in transaction.entries:
            if at[0] not in self.late_markers:
                entry.state = state
                touched[at] = None
        for at in touched:
            self.append(at, None, None)[0].state = "marker"

    def settle(self) -> None:
        """Write the markers that were late."""
        for at, entry in self._unsettled:
            entry.state = "committed"
            self.append(at, None, None)[0].state = "marker"
        self._unsettled.clear()
        self.late_markers.clear()
