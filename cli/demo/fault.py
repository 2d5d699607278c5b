"""The demo's fault: SIGKILL in the middle of a backlog, while a transaction with a command in it is open."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from cli.verifier import VerifiedRecord, read_topic
from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.partition_reader import EndOfPartition, KafkaRecord, PartitionReader
from schemas.topics import PHASE_COMMANDS, Topic, TopicTable

_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 60.0
_MOST_KILLS = 5
_BACKLOG_RECORDS = 60
"""Inbox records that a paused orchestrator is left behind by: it works for some 20 ms on so many."""
_PAUSE_SECONDS = 2.0
"""Longest pause: after 6 s without a heartbeat the group would take the partitions away."""
_GROUP = "batch-orchestrator-demo-fault"


class Aborted(NamedTuple):
    """What the transactions held that the kills left open."""

    commands: int
    """Commands on the peers' topics."""
    torn: int
    """Commands among them without the history record of their decision: a kill came between two of its records."""
    decided: int
    """Inbox records that were decided in them."""
    waiting: int
    """Inbox records that waited when the process went on, on the partitions of those that were decided."""

    @property
    def between(self) -> bool:
        """Whether a kill came after some records of what the process worked on had been written, and before others."""
        return self.torn > 0 or self.decided < self.waiting


class KillInOpenTransaction:
    """Watches the command topics, uncommitted records included, and kills the orchestrator after `arm`.

    At the first command it pauses the process with `send`, until its inbox holds a backlog. Then it lets it go on, and
    kills it at the next command, in the middle of that backlog. A commit can be faster than the kill; then it does so
    again, up to five times. `aborted` tells afterwards what was aborted.
    """

    def __init__(self, kafka: Mapping[str, Any], topics: TopicTable, send: Callable[[signal.Signals], object]) -> None:
        self._kafka = kafka
        self._names = [topics.name(topic) for topic in PHASE_COMMANDS.values()]
        self._history = topics.name(Topic.HISTORY)
        self._inbox = topics.name(Topic.INBOX)
        self._cluster = KafkaAdmin(kafka)
        self._send = send
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fault", daemon=True)
        self._ends: dict[int, int] = {}
        """End of each inbox partition, by its number, when the paused process last went on."""
        self.kills = 0
        """Number of kills."""

    def arm(self) -> None:
        """Start watching, and return once every new command is read."""
        self._thread.start()
        self._watching.wait(_TIMEOUT_SECONDS)

    def disarm(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def aborted(self) -> Aborted:
        """Return what the transactions held that the kills left open."""
        commands, history = self._aborted(self._names), self._aborted([self._history])
        told = Counter(effect["event_id"] for record in history for effect in record.value.get("effects", ()))
        decided = {(record.value["partition"], record.value["offset"]) for record in history}
        first: dict[int, int] = {}
        for partition, offset in decided:
            first[partition] = min(offset, first.get(partition, offset))
        return Aborted(
            commands=len(commands),
            torn=(Counter(record.headers["event_id"] for record in commands) - told).total(),
            decided=sum(offset < self._ends.get(partition, 0) for partition, offset in decided),
            waiting=sum(max(self._ends.get(partition, 0) - offset, 0) for partition, offset in first.items()),
        )

    def _aborted(self, names: Sequence[str]) -> list[VerifiedRecord]:
        """Return the records that were aborted: those that only a reader of uncommitted ones sees."""
        every = list(read_topic(self._kafka, *names, isolation="read_uncommitted"))
        committed = {_place(record) for record in read_topic(self._kafka, *names)}
        return [record for record in every if _place(record) not in committed]

    def _watch(self) -> None:
        commands, inbox = self._partitions(self._names), self._partitions([self._inbox])
        with PartitionReader(self._kafka, _GROUP, committed=False, fetch_wait_ms=5) as reader:
            self._read_new(reader, commands)
            self._watching.set()
            while self.kills < _MOST_KILLS and self._next_command(reader) is not None:
                self._send(signal.SIGSTOP)
                try:
                    self._await_backlog(inbox)
                    self._read_new(reader, commands)
                    ends = self._cluster.log_ends(inbox, committed=False)
                    self._ends = {number: end for (_, number), end in ends.items()}
                finally:
                    self._send(signal.SIGCONT)
                found = self._next_command(reader)
                if found is None:
                    return
                self._send(signal.SIGKILL)
                self.kills += 1
                if not self._committed(found):
                    return

    def _partitions(self, names: Sequence[str]) -> list[Partition]:
        return [
            (name, number) for name, count in self._cluster.partition_counts(names).items() for number in range(count)
        ]

    def _read_new(self, reader: PartitionReader, partitions: Sequence[Partition]) -> None:
        """Read on from the present ends, and return once the reader waits at each of them."""
        reader.assign(self._cluster.log_ends(partitions, committed=False))
        behind = set(partitions)
        deadline = time.monotonic() + _PAUSE_SECONDS / 2
        while behind and time.monotonic() < deadline:
            found = reader.poll(_POLL_SECONDS)
            if isinstance(found, EndOfPartition):
                behind.discard(found.partition)

    def _next_command(self, reader: PartitionReader) -> KafkaRecord | None:
        """Return the next command; None once the fault is disarmed."""
        while not self._stop.is_set():
            found = reader.poll(_POLL_SECONDS)
            if isinstance(found, KafkaRecord):
                return found
        return None

    def _await_backlog(self, inbox: Sequence[Partition]) -> None:
        """Wait until the inbox has grown by a backlog, but no longer than the group allows."""
        began = sum(self._cluster.log_ends(inbox, committed=False).values())
        deadline = time.monotonic() + _PAUSE_SECONDS
        while time.monotonic() < deadline and not self._stop.wait(_POLL_SECONDS):
            if sum(self._cluster.log_ends(inbox, committed=False).values()) - began >= _BACKLOG_RECORDS:
                return

    def _committed(self, record: KafkaRecord) -> bool:
        """Wait until the record's transaction has ended, and return whether it was committed."""
        place = (record.topic, record.partition)
        while self._cluster.log_ends([place], committed=True)[place] <= record.offset:
            if self._stop.wait(_POLL_SECONDS):
                return False
        with PartitionReader(self._kafka, _GROUP) as reader:
            reader.assign({place: record.offset})
            found = reader.poll(_TIMEOUT_SECONDS)
            return isinstance(found, KafkaRecord) and found.offset == record.offset


def _place(record: VerifiedRecord) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
