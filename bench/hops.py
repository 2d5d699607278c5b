"""The hops of an event on its way to a command: when it was appended where."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from bench.live import Answer
from runtime.kafka.admin import KafkaAdmin, Partition
from runtime.kafka.partition_reader import EndOfPartition, KafkaRecord, PartitionReader
from runtime.settings import Settings
from schemas.errors import BrokerError
from schemas.ids import derived_id
from schemas.internal.records import decode_inbox
from schemas.topics import Topic

HOPS = ("sent to input", "input to inbox", "inbox to command", "command to reader")
"""Producer of the peer; router; orchestrator until its command is written; commit, and fetch of the reader."""
INPUTS = (Topic.ESSAYS_READY, Topic.OUTCOME_SEED)
"""Topics of the events that lead to a command."""
_POLL_S = 1.0
_SILENT_POLLS = 30
_ASKED = 10


class Way(NamedTuple):
    """One event on its way: Unix times in seconds."""

    sent_s: float
    input_s: float
    inbox_s: float
    command_s: float
    read_s: float

    @property
    def took_s(self) -> float:
        """Seconds from the first to the last time."""
        return self.read_s - self.sent_s

    def hops(self) -> tuple[float, ...]:
        """Return the seconds of each hop. The broker counts milliseconds, so a short one can be just below 0."""
        return tuple(after - before for before, after in pairwise(self))


class Trail:
    """The records that were appended to the inbox and its inputs since this object was made."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster = KafkaAdmin(settings.kafka())
        topics = settings.topics()
        self._inbox = topics.name(Topic.INBOX)
        counts = self._cluster.partition_counts([self._inbox, *(topics.name(each) for each in INPUTS)])
        self._partitions = [(name, number) for name, count in counts.items() for number in range(count)]
        self._starts = self._ends()

    def ways(self, answers: Iterable[Answer]) -> list[Way]:
        """Return the way of each event whose command was read, as far as its records are among those since then."""
        inputs, inbox = self._appended()
        found = []
        for answer in answers:
            event = inbox.get(derived_id(f"{answer.batch_id} {answer.event}"))
            if event is not None and event[1] in inputs:
                inbox_s, at = event
                found.append(Way(answer.sent_s, inputs[at], inbox_s, answer.appended_s, answer.read_s))
        return found

    def _appended(
        self,
    ) -> tuple[dict[tuple[str, int, int], float], dict[str, tuple[float, tuple[str, int, int]]]]:
        """Return when each input was appended, by its place, and when and from which place each event of the inbox."""
        inputs: dict[tuple[str, int, int], float] = {}
        inbox: dict[str, tuple[float, tuple[str, int, int]]] = {}
        for record in read_between(self._settings, self._starts, self._ends()):
            if record.topic != self._inbox:
                inputs[record.topic, record.partition, record.offset] = record.time_ms / 1_000
                continue
            origin = decode_inbox(record.value or b"").origin
            place = (origin.topic, origin.partition, origin.offset)
            inbox.setdefault(origin.event_id, (record.time_ms / 1_000, place))
        return inputs, inbox

    def _ends(self) -> dict[Partition, int]:
        """Ask for the ends of the log, again where a broker on a busy host does not answer in time."""
        for _ in range(_ASKED - 1):
            with suppress(BrokerError):
                return self._cluster.log_ends(self._partitions, committed=False)
        return self._cluster.log_ends(self._partitions, committed=False)


def read_between(
    settings: Settings, starts: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> list[KafkaRecord]:
    """Return the committed records of partitions between two offsets each."""
    wanted = {at: start for at, start in starts.items() if start < ends[at]}
    if not wanted:
        return []
    found, silent = [], 0
    with PartitionReader(settings.kafka(), "batch-orchestrator-bench-trail") as reader:
        reader.assign(wanted)
        while wanted:
            record = reader.poll(_POLL_S)
            silent = silent + 1 if record is None else 0
            if silent > _SILENT_POLLS:
                raise TimeoutError(f"records of {', '.join(name for name, _ in wanted)} cannot be read")
            if isinstance(record, EndOfPartition) and record.offset >= ends[record.partition]:
                wanted.pop(record.partition, None)
            elif isinstance(record, KafkaRecord):
                if record.offset < ends[record.topic, record.partition]:
                    found.append(record)
                if record.offset + 1 >= ends[record.topic, record.partition]:
                    wanted.pop((record.topic, record.partition), None)
    return found
