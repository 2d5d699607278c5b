"""The demo's fault: SIGKILL while a transaction with a command in it is open."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cli.verifier import VerifiedRecord, read_topic
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.partition_reader import KafkaRecord, PartitionReader
from schemas.topics import PHASE_COMMANDS, Topic, TopicTable

_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 60.0
_MOST_KILLS = 5
_GROUP = "batch-orchestrator-demo-fault"


class Aborted(NamedTuple):
    """What the transactions held that the kills left open."""

    commands: int
    torn: int
    """Commands among them without the history record of their decision: a kill came between two of its records."""


class KillInOpenTransaction:
    """Watches the command topics, uncommitted records included, and calls `kill` at the first command after `arm`.

    A commit can be faster than the kill; then the next command triggers another kill, up to five times. `aborted`
    tells afterwards what was aborted.
    """

    def __init__(self, kafka: Mapping[str, Any], topics: TopicTable, kill: Callable[[], object]) -> None:
        self._kafka = kafka
        self._names = [topics.name(topic) for topic in PHASE_COMMANDS.values()]
        self._history = topics.name(Topic.HISTORY)
        self._cluster = KafkaAdmin(kafka)
        self._kill = kill
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fault", daemon=True)
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
        commands = self._aborted(self._names, lambda record: [record.headers["event_id"]])
        told = self._aborted(
            [self._history], lambda record: [effect["event_id"] for effect in record.value.get("effects", ())]
        )
        return Aborted(commands.total(), (commands - told).total())

    def _aborted(self, names: Sequence[str], ids: Callable[[VerifiedRecord], Iterable[str]]) -> Counter[str]:
        """Return the ids in the records that were aborted, each as often as it was."""
        aborted: Counter[str] = Counter()
        for record in read_topic(self._kafka, *names, isolation="read_uncommitted"):
            aborted.update(ids(record))
        for record in read_topic(self._kafka, *names):
            aborted.subtract(ids(record))
        return +aborted

    def _watch(self) -> None:
        counts = self._cluster.partition_counts(self._names)
        places = [(name, number) for name in self._names for number in range(counts[name])]
        with PartitionReader(self._kafka, _GROUP, committed=False, fetch_wait_ms=5) as reader:
            reader.assign(self._cluster.log_ends(places, committed=False))
            self._watching.set()
            while not self._stop.is_set() and self.kills < _MOST_KILLS:
                found = reader.poll(_POLL_SECONDS)
                if isinstance(found, KafkaRecord):
                    self._kill()
                    self.kills += 1
                    if not self._committed(found):
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
