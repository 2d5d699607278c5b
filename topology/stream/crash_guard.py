"""Finds a record that kills the process each time, so that it can be quarantined and its partition goes on.

An exception can be caught; a segmentation fault, `os._exit`, a kill for lack of memory or a call that never returns
cannot. The process is started again, reads the same record, and ends again: the partition is blocked.

1. At an unclean end nothing but a file is left. The next start notes the committed offset of each partition that has
   records left. After `UNCLEAN_ENDS` unclean ends at the same offset, records are processed one by one.
2. One by one means: a marker on the disk before each record, and a commit after it. `CAREFUL_RECORDS` records of each
   such partition are processed so; then the process goes on at its normal speed.
3. A record whose marker is found after `SUSPECT_ENDS` unclean ends is not processed but quarantined.

Nothing is written or checked for a record in normal operation. If the directory is lost, the counts start again.
"""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Protocol, Self

from confluent_kafka import TopicPartition

from runtime import exit_codes
from runtime.kafka.errors import outage
from runtime.logs import get_logger
from schemas.errors import Code, OrchestratorError, StateError
from topology.stream.crash_file import Count, Crashes, CrashFile, Ended, Marker, Place, Stage
from topology.stream.exit import Leave
from topology.stream.guards import GroupMember, committed_offset

UNCLEAN_ENDS = 3
"""Unclean ends at the same committed offset after which records are processed one by one."""
SUSPECT_ENDS = 2
"""Unclean ends during the same record after which it is quarantined."""
CAREFUL_RECORDS = 1_000
"""Records of a partition that are processed one by one; each round of crashes gets at least so much further."""
_TIMEOUT_S = 30.0

_logger = get_logger("topology.stream.crash_guard")
Partition = tuple[str, int]


class Verdict(IntEnum):
    """What to do with the next record."""

    PROCESS = 0
    QUARANTINE = 1
    """Do not decide on it; it may be decoded."""
    QUARANTINE_UNREAD = 2
    """Do not even decode it: the process ended again when it was quarantined."""


class Pace(Protocol):
    """Tells the application to commit after each record, or at its usual interval."""

    def __call__(self, *, one_by_one: bool) -> None:
        """Set the pace from the next record on."""


class CrashGuard:
    """The memory of one stream application for its unclean ends; a context manager around its run.

    `owner` names cluster and group. Entering it raises `StateError` where the directory cannot be used.
    """

    def __init__(self, directory: Path, owner: str, *, careful_records: int = CAREFUL_RECORDS) -> None:
        self.careful = False
        """Whether records are processed one by one: then `before` must be asked about each."""
        self.pace: Pace = _no_pace
        """Set by the application."""
        self._directory = directory
        self._owner = owner
        self._careful_records = careful_records
        self._stuck: dict[Partition, Count] = {}
        self._suspects: dict[Partition, Count] = {}
        self._until: dict[Partition, int] = {}
        self._seen: set[Partition] = set()
        self._unclean = False
        self._marked: Place | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except OSError as error:
            raise StateError(
                f"The directory {self._directory} cannot be written: {error.strerror}.",
                code=Code.STATE_DIRECTORY,
                next_step="Set BATCH_ORCHESTRATOR_SERVICE_STATE_DIR to a directory that this user may write.",
            ) from error
        return self

    def _start(self) -> None:
        self._file = CrashFile(self._directory)
        found = self._file.read(self._owner)
        self._stuck = {_partition(count.place): count for count in found.stuck}
        self._suspects = {_partition(count.place): count for count in found.suspects}
        self._unclean = found.ended is not Ended.CLEAN
        marker = self._file.marker()
        if self._unclean and marker is not None and _suspicious(marker, found.ended):
            self._suspect(marker.place)
        self._save(Ended.RUNNING)
        self._file.mark(None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ended(Ended.FAILED if isinstance(error, Exception) and not _explained(error) else Ended.CLEAN)
        self._file.close()

    def noting(self, leave: Leave) -> Leave:
        """Return `leave`, which ends the process at once, with a note of the reason before it."""

        def noting(code: int, error: OrchestratorError) -> NoReturn:
            self.ended(Ended.FAILED if code == exit_codes.NO_LIFE else Ended.CLEAN)
            leave(code, error)

        return noting

    def ended(self, how: Ended) -> None:
        """Note how the process ends."""
        try:
            self._save(how)
        except OSError as error:
            _logger.warning("end_not_noted", error=str(error))

    def assigned(self, consumer: GroupMember, partitions: Sequence[TopicPartition]) -> None:
        """Compare the committed offsets with those of earlier unclean ends; a guard of the assignment."""
        if not (self._unclean or self._suspects or self._until):
            return
        owned = {(at.topic, at.partition) for at in partitions}
        self._until = {at: end for at, end in self._until.items() if at in owned}
        for at in consumer.committed(list(partitions), timeout=_TIMEOUT_S):
            offset = committed_offset(at)
            if offset is not None:  # nothing is committed on a changelog
                end = consumer.get_watermark_offsets(TopicPartition(at.topic, at.partition), timeout=_TIMEOUT_S)[1]
                self._compare(Place(at.topic, at.partition, offset), end)
        self._save(Ended.RUNNING)
        if bool(self._until) is not self.careful:
            self._set_careful(on=bool(self._until))

    def before(self, topic: str, partition: int, offset: int) -> Verdict:
        """Note the record that is about to be processed, and return what to do with it. Only while `careful`."""
        self._marked = Place(topic, partition, offset)
        self._file.mark(Marker(self._marked, Stage.DECIDING))
        suspect = self._suspects.get((topic, partition))
        if suspect is None or suspect.place != self._marked or suspect.ends < SUSPECT_ENDS:
            return Verdict.PROCESS
        return Verdict.QUARANTINE if suspect.ends == SUSPECT_ENDS else Verdict.QUARANTINE_UNREAD

    def committing(self) -> None:
        """Note that the record's results are about to be committed."""
        if self._marked is not None:
            self._file.mark(Marker(self._marked, Stage.COMMITTING))

    def committed(self) -> None:
        """Note that the record is committed; after the last one to be processed by itself, end that."""
        if self._marked is None:
            return
        done, self._marked = self._marked, None
        self._file.mark(None)
        at = _partition(done)
        if at in self._suspects and self._suspects[at].place.offset <= done.offset:
            del self._suspects[at]
            self._save(Ended.RUNNING)
        self.passed(done.topic, done.partition, done.offset + 1)

    def passed(self, topic: str, partition: int, offset: int) -> None:
        """Note that everything before an offset is processed: after the last record, its transaction's marker too."""
        if offset >= self._until.get((topic, partition), offset + 1):
            del self._until[topic, partition]
            if not self._until:
                self._set_careful(on=False)

    def _suspect(self, place: Place) -> None:
        before = self._suspects.get(_partition(place))
        ends = 1 if before is None or before.place != place else before.ends + 1
        self._suspects[_partition(place)] = Count(place, ends)
        _logger.error("process_ended_during_record", ends=ends, **_fields(place))

    def _compare(self, place: Place, end: int) -> None:
        at = _partition(place)
        suspect = self._suspects.get(at)
        if suspect is not None and suspect.place.offset < place.offset:
            del self._suspects[at]
            suspect = None
        stuck = self._stuck.pop(at, None)
        if place.offset >= end:
            return
        ends = 0 if stuck is None or stuck.place != place else stuck.ends
        if self._unclean and at not in self._seen:
            ends += 1
        self._seen.add(at)
        if ends:
            self._stuck[at] = Count(place, ends)
        if ends >= UNCLEAN_ENDS or suspect is not None:
            self._until.setdefault(at, min(place.offset + self._careful_records, end))

    def _set_careful(self, *, on: bool) -> None:
        self.careful = on
        if on:
            _logger.warning("records_one_by_one", partitions=[f"{topic}[{number}]" for topic, number in self._until])
        else:
            self._stuck.clear()
            self._save(Ended.RUNNING)
            _logger.info("normal_speed")
        self.pace(one_by_one=on)

    def _save(self, ended: Ended) -> None:
        stuck, suspects = tuple(self._stuck.values()), tuple(self._suspects.values())
        self._file.write(Crashes(owner=self._owner, ended=ended, stuck=stuck, suspects=suspects))


def _suspicious(marker: Marker, ended: Ended) -> bool:
    """Whether an unclean end may be the record's fault: a failure to commit is rather that of the cluster."""
    return marker.stage is Stage.DECIDING or ended is Ended.RUNNING


def _explained(error: Exception) -> bool:
    """Whether an exception that ends the process is known to have another cause than a record."""
    return exit_codes.known_error(error) is not None or outage(error, address="") is not None


def _partition(place: Place) -> Partition:
    return place.topic, place.partition


def _fields(place: Place) -> dict[str, str | int]:
    return {"topic": place.topic, "partition": place.partition, "offset": place.offset}


def _no_pace(*, one_by_one: bool) -> None:
    """Keep the pace: no application has joined yet."""
