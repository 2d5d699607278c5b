"""How the consumer groups are: members, assignment, how far behind in seconds. Asked in the background."""

import time
from collections.abc import Sequence
from threading import Event, Lock, Thread
from typing import Any, Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from msgspec import Struct

from api.monitoring.lag import LagClock
from api.monitoring.readable_records import ReadableRecordProbe
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.logs import get_logger

_TIMEOUT_S = 5.0
_SUSPICIOUS_S = 5.0
"""From here on it is worth looking whether there is anything to read at all."""
_log = get_logger("api.monitoring.consumer_groups")


class Group(Struct, frozen=True):
    """A consumer group to watch."""

    process: str
    """`router`, `orchestrator` or `projector`."""
    name: str
    topics: tuple[str, ...]
    """Real names of what it reads; empty where its lag is known from elsewhere."""


class GroupState(Struct, frozen=True, kw_only=True):
    """What the cluster says about a group."""

    process: str
    members: int
    assigned: int
    """Partitions assigned to its members."""
    settled: bool
    """Whether the group is stable: no member is joining or leaving."""
    behind_s: float
    """How long its oldest unread record has been waiting."""


class Groups(Protocol):
    """The newest view of the groups."""

    def states(self) -> tuple[Sequence[GroupState], str | None]:
        """Return the states, and why they cannot be told (None where they can)."""


class GroupWatch:
    """Asks the cluster every few seconds, in a thread."""

    def __init__(self, kafka: dict[str, Any], groups: Sequence[Group], *, interval_s: float) -> None:
        self._kafka = kafka
        self._groups = groups
        self._open()
        self._interval_s = interval_s
        self._lags: LagClock[tuple[str, int]] = LagClock()
        self._states: Sequence[GroupState] = ()
        self._error: str | None = "The consumer groups have not been looked at yet."
        self._asked_at = time.monotonic()
        self._lock = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._watch, name="groups", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for an answer that is under way."""
        self._stopping.set()

    def states(self) -> tuple[Sequence[GroupState], str | None]:
        """Return the states as last seen."""
        with self._lock:
            if self._error is None and time.monotonic() - self._asked_at > 5 * self._interval_s + _TIMEOUT_S:
                return self._states, "The consumer groups have not been seen for a while."
            return self._states, self._error

    def _open(self) -> None:
        self._admin = AdminClient(self._kafka)
        self._committed = {
            group.name: CommittedOffsets(self._kafka, group.name, timeout_s=_TIMEOUT_S)
            for group in self._groups
            if group.topics
        }
        self._gaps = ReadableRecordProbe(self._kafka)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                states, error = self._look(), None
            except KafkaException as failure:
                self._open()
                states, error = (), f"The Kafka cluster does not tell about its groups: {failure.args[0].str()}."
            except Exception as failure:  # noqa: BLE001 - a thread that dies in silence would leave old news
                _log.exception("groups_failed")
                states, error = (), f"The consumer groups cannot be looked at: {type(failure).__name__}."
            with self._lock:
                self._states, self._error, self._asked_at = states, error, time.monotonic()
            self._stopping.wait(self._interval_s)
        self._gaps.close()

    def _look(self) -> Sequence[GroupState]:
        """Temporary: without `describe_consumer_groups`, which aborts the process when a broker goes away."""
        return tuple(
            GroupState(process=group.process, members=1, assigned=1, settled=True, behind_s=self._behind(group))
            for group in self._groups
        )

    def _behind(self, group: Group) -> float:
        if not group.topics:
            return 0.0
        ends = self._ends(group.topics)
        committed = self._committed[group.name].read(ends)
        longest = 0.0
        for place, end in ends.items():
            self._lags.saw(place, end)
            offset = committed.get(place, 0)
            behind = self._lags.behind(place, offset)
            if behind > _SUSPICIOUS_S and not self._gaps.readable(place, offset, end):
                behind = 0.0
            longest = max(longest, behind)
        return longest

    def _ends(self, topics: Sequence[str]) -> dict[tuple[str, int], int]:
        known = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        latest = {
            TopicPartition(name, number): OffsetSpec.latest()
            for name in topics
            if name in known
            for number in known[name].partitions
        }
        if not latest:
            return {}
        asked = self._admin.list_offsets(
            latest, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_TIMEOUT_S
        )
        return {(at.topic, at.partition): int(answer.result().offset) for at, answer in asked.items()}
