"""The gate: a deadline waits until the router has passed everything that was in its inputs when the deadline was due.

Otherwise a deadline would beat an outcome that has long been in Kafka, and that a router which was down has not read.
The ends of all inputs are noted at a time W; once the router's group has committed offsets at or behind each of them,
deadlines up to W may be fired. The router writes to the inbox before it commits, and commits the end of a partition
whose last records are transaction markers, so its offsets need no further interpretation.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Protocol, Self

from runtime.kafka.admin import ClusterFacts, Partition
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.logs import get_logger
from schemas.errors import Code, OrchestratorError
from schemas.internal.processes import ProcessProblem
from topology.timekeeper.clock import BrokerClock

INTERVAL_S = 0.5
"""Seconds between two looks at the router's offsets: how much later than its time a deadline can be fired."""
_COUNTS_S = 10.0
"""Seconds for which the partition counts of the inputs are kept."""

_logger = get_logger("topology.timekeeper.gate")


class Gate:
    """The state of the gate. Thread-safe; `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._passed_ms: int | None = None
        self._passed_at = clock()
        self._waits: tuple[int, dict[Partition, int]] | None = None

    @property
    def open_until_ms(self) -> int | None:
        """Deadlines up to this time (Unix milliseconds) may be fired; None before the router has passed any ends."""
        return self._passed_ms

    @property
    def age_s(self) -> float:
        """Seconds since the router was last known to have passed the ends of its inputs."""
        with self._lock:
            return self._clock() - self._passed_at

    @property
    def waits(self) -> bool:
        """Whether the router has yet to pass the ends that were noted last."""
        return self._waits is not None

    def note(self, time_ms: int, ends: Mapping[Partition, int]) -> None:
        """Note the ends of all inputs (offset after the last record) at a time of the broker's clock.

        Ends that are noted while the gate waits for earlier ones are ignored: under traffic it would never open.
        """
        with self._lock:
            if self._waits is None:
                self._waits = time_ms, dict(ends)

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Take in the router's committed offsets; partitions without one are left out."""
        with self._lock:
            if self._waits is None:
                return
            time_ms, ends = self._waits
            if all(offsets.get(at, 0) >= end for at, end in ends.items()):
                self._passed_ms = max(time_ms, self._passed_ms or 0)
                self._passed_at = self._clock()
                self._waits = None

    def close(self) -> None:
        """Forget what the router has passed, because the times at which ends were noted were ahead of the broker's.

        An event that is written from now on could otherwise be older than an open gate, and not be waited for.
        """
        with self._lock:
            self._passed_ms = None
            self._waits = None

    def problem(self, bound_s: float) -> ProcessProblem | None:
        """Return what to report where the gate has not moved for more than `bound_s` seconds."""
        age_s = self.age_s
        if age_s <= bound_s:
            return None
        return ProcessProblem(
            Code.DEADLINE_GATE,
            f"Deadlines have waited for {age_s:.0f} s: the router has not passed what is in its inputs.",
            "Start the router, or find out why it is behind; deadlines are fired once it has caught up.",
        )


class GroupOffsets(Protocol):
    """The committed offsets of the router's group."""

    def read(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the next offset of each partition that has one committed. Raises `BrokerError`."""

    def close(self) -> None:
        """Close the connection."""


class GateWatch:
    """Moves the gate in a thread of its own; a context manager.

    `inputs` are the real names of the router's inputs, of which some may not exist. `offsets` opens a reader of the
    router's offsets; another one is opened after a failure, because a client that has lost its brokers can stay so.
    """

    def __init__(
        self,
        gate: Gate,
        clock: BrokerClock,
        cluster: ClusterFacts,
        *,
        inputs: Iterable[str],
        offsets: Callable[[], GroupOffsets],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._gate = gate
        self._broker_clock = clock
        self._cluster = cluster
        self._inputs = tuple(inputs)
        self._open = offsets
        self._interval_s = interval_s
        self._offsets: GroupOffsets | None = None
        self._partitions: list[Partition] = []
        self._counted_at = float("-inf")
        self._failed = False
        self._stopping = Event()
        self._thread = Thread(target=self._watch, name="gate", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(self._interval_s + 2.0)

    def look(self) -> None:
        """Look once at the router's offsets and at the ends of its inputs. Raises `BrokerError` or `TopicError`."""
        if self._offsets is None:
            self._offsets = self._open()
        now = time.monotonic()
        if now - self._counted_at > _COUNTS_S:
            counts = self._cluster.partition_counts(self._inputs)
            self._partitions = [(name, number) for name, count in counts.items() for number in range(count)]
            self._counted_at = now
        offsets = self._offsets.read(self._partitions)
        self._gate.committed(offsets)
        if self._gate.waits:
            return
        time_ms = self._broker_clock.now_ms()  # before the ends are read: what was written by then is below them
        if time_ms is None:
            return
        ends = self._cluster.log_ends(self._partitions, committed=False)
        if any(offset > ends.get(at, 0) for at, offset in offsets.items()):
            # The router refuses to go on (ORC-INPUT-REPLACED): its offsets are those of a topic that is gone.
            _logger.warning("router_offsets_beyond_its_inputs")
            return
        if time_ms > (self._broker_clock.now_ms() or 0):
            return  # the broker's clock was found set back while the ends were read
        self._gate.note(time_ms, ends)
        self._gate.committed(offsets)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
                self._failed = False
            except OrchestratorError as error:
                self._give_up(error)
            self._stopping.wait(self._interval_s)
        if self._offsets is not None:
            self._offsets.close()

    def _give_up(self, error: OrchestratorError) -> None:
        if not self._failed:
            _logger.warning("router_offsets_not_seen", code=error.code, reason=error.message)
        self._failed = True
        self._counted_at = float("-inf")
        if self._offsets is not None:
            self._offsets.close()
            self._offsets = None


def router_offsets(kafka: Mapping[str, object], group: str, timeout_s: float) -> Callable[[], GroupOffsets]:
    """Return what opens a reader of the committed offsets of the router's `group`."""
    return lambda: CommittedOffsets(kafka, group, timeout_s=timeout_s)
