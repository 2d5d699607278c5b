"""Health of a stream process: alive, assigned, restored, and its lag in seconds.

The assignment and the last stable offsets come from librdkafka's statistics, which arrive in the thread that polls, so
their arrival is the heartbeat. Offsets of records cannot show that a process has caught up, because a transactional
topic ends with control records, which consumers skip; the fetch position passes them and is compared instead.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from runtime.kafka.open_transactions import OpenTransactions
from runtime.kafka.statistics import assigned_partitions
from schemas.errors import Code
from schemas.internal.processes import InputPosition, OpenTransaction, ProcessProblem

STATISTICS_INTERVAL_MS = 1_000
_START_GRACE_S = 60.0
_CHANGELOG = "changelog__"
"""Prefix of changelog topics, which are no inputs and are only read at a recovery."""
NOT_READY = Code.PROCESS_NOT_READY
BEHIND = Code.PROCESS_BEHIND
OPEN_TRANSACTION = Code.OPEN_TRANSACTION


class ProcessHealthReport(Struct, frozen=True, kw_only=True):
    """The state of a process at one moment, as `/livez` and `/readyz` show it."""

    process: str
    alive: bool
    """Whether the processing loop has polled recently."""
    assigned: bool
    """Whether it is a stable member of the consumer group, even without a partition."""
    restored: bool
    """Whether local state has been restored; always true for a process without state."""
    restored_percent: int | None = None
    """While local state is being restored: how much of its changelogs has been read, 0 to 99; otherwise None."""
    partitions: int
    """Number of assigned partitions."""
    lag_seconds: float
    """Now minus the time of the last processed record; 0 if everything has been read."""
    reasons: tuple[str, ...]
    """Why it is not ready, as sentences; empty if it is ready."""
    problems: tuple[ProcessProblem, ...] = ()
    """The reasons, each with its error code and next step."""
    open_transactions: tuple[OpenTransaction, ...] = ()
    """Transactions that have blocked an input for longer than the bound."""
    positions: tuple[InputPosition, ...] = ()
    """Position of each assigned partition."""
    gate_ms: int | None = None
    """Of a timekeeper: deadlines up to this time (Unix milliseconds) may be fired."""

    @property
    def ready(self) -> bool:
        """Whether it is ready: no reason speaks against it."""
        return not self.reasons


class ProcessHealth:
    """Collects the health of a process; `report` can be called from any thread.

    `grouped` is False for a process without a consumer group, which has no assignment to wait for.
    """

    def __init__(
        self,
        process: str,
        *,
        max_lag_s: float = 60,
        stall_s: float = 20,
        grouped: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._process = process
        self._max_lag_s = max_lag_s
        self._stall_s = stall_s
        self._clock = clock
        self._started = clock()
        self._beat: float | None = None
        self._grouped = grouped
        self._assigned = not grouped
        self._transactions = OpenTransactions()
        self._positions: tuple[InputPosition, ...] = ()
        self._restored_percent: int | None = None
        self._behind: frozenset[tuple[str, int]] = frozenset()
        self._assigned_since: dict[tuple[str, int], float] = {}
        self._caught_up: dict[tuple[str, int], float] = {}
        self._times: dict[tuple[str, int], int] = {}
        self._restored: Callable[[], bool] = lambda: True
        self._more_problems: Callable[[], Sequence[ProcessProblem]] = lambda: ()
        self._gate_ms: Callable[[], int | None] = lambda: None

    def processed(self, topic: str, partition: int, time_ms: int) -> None:
        """Note a processed record and its time (Unix milliseconds). It is called for every record."""
        self._times[(topic, partition)] = time_ms

    def watch_restored(self, restored: Callable[[], bool]) -> None:
        """Call `restored` at each report to find out whether local state has been restored."""
        self._restored = restored

    def watch_problems(self, problems: Callable[[], Sequence[ProcessProblem]]) -> None:
        """Call `problems` at each report for what this kind of process has to add; each one is a reason."""
        self._more_problems = problems

    def watch_gate(self, gate_ms: Callable[[], int | None]) -> None:
        """Call `gate_ms` at each report for the time up to which a timekeeper may fire deadlines."""
        self._gate_ms = gate_ms

    def on_statistics(self, statistics: str) -> None:
        """Take in the statistics of the consumer (`stats_cb`, every `STATISTICS_INTERVAL_MS`)."""
        now = self._clock()
        parsed = json.loads(statistics)
        self._beat = now
        self._assigned = not self._grouped or parsed.get("cgrp", {}).get("join_state") == "steady"
        partitions = assigned_partitions(parsed)
        inputs = {at: state for at, state in partitions.items() if not at[0].startswith(_CHANGELOG)}
        self._restored_percent = _percent_read([state for at, state in partitions.items() if at not in inputs])
        self._transactions.saw(inputs, now)
        self._positions = tuple(_position(at, state) for at, state in sorted(inputs.items()))
        self._assigned_since = {at: self._assigned_since.get(at, now) for at in partitions}
        self._behind = frozenset(at for at, state in partitions.items() if _has_more(state))
        self._caught_up = {
            at: self._caught_up[at] if at in self._behind else now
            for at in partitions
            if at not in self._behind or at in self._caught_up
        }
        for at in self._times.keys() - partitions.keys():
            del self._times[at]

    def report(self) -> ProcessHealthReport:
        """Return the state at this moment."""
        now = self._clock()
        alive = now - self._beat <= self._stall_s if self._beat is not None else now - self._started <= _START_GRACE_S
        restored = self._restored()
        lag = self._lag_seconds(now)
        transactions = self._transactions.overdue(now)
        problems = [*self._problems(alive=alive, restored=restored, lag=lag), *map(transaction_problem, transactions)]
        problems += self._more_problems()
        return ProcessHealthReport(
            process=self._process,
            alive=alive,
            assigned=self._assigned,
            restored=restored,
            restored_percent=None if restored else self._restored_percent,
            partitions=len(self._assigned_since),
            lag_seconds=round(lag, 3),
            reasons=tuple(problem.message for problem in problems),
            problems=tuple(problems),
            open_transactions=transactions,
            positions=tuple(self._with_lag(position, now) for position in self._positions),
            gate_ms=self._gate_ms(),
        )

    def _lag_seconds(self, now: float) -> float:
        return max((now - self._reached(at, now) for at in self._behind), default=0.0)

    def _with_lag(self, position: InputPosition, now: float) -> InputPosition:
        at = (position.topic, position.partition)
        if at not in self._behind:
            return position
        lag_s = round(now - self._reached(at, now), 3)
        return InputPosition(position.topic, position.partition, position.position, position.end, lag_s)

    def _reached(self, at: tuple[str, int], now: float) -> float:
        """Return the time up to which all records of a partition are processed."""
        time_ms = self._times.get(at)
        caught_up = self._caught_up.get(at)
        if time_ms is None:
            return min(now, caught_up if caught_up is not None else self._assigned_since.get(at, now))
        return min(now, max(time_ms / 1000, caught_up or 0.0))

    def _problems(self, *, alive: bool, restored: bool, lag: float) -> list[ProcessProblem]:
        found = []
        if not alive:
            found.append(
                ProcessProblem(
                    NOT_READY,
                    f"The processing loop has not polled for {self._stall_s:.0f} s.",
                    "Read the process's log; restart it if it does not go on.",
                )
            )
        if not self._assigned:
            found.append(ProcessProblem(NOT_READY, "The consumer group is rebalancing.", _WAIT))
        if not restored:
            read = self._restored_percent
            so_far = "" if read is None else f": {read} % of its changelogs have been read"
            found.append(ProcessProblem(NOT_READY, f"Local state is being restored{so_far}.", _WAIT))
        if lag > self._max_lag_s:
            message = f"It is {lag:.0f} s behind its input; {self._max_lag_s:.0f} s are allowed."
            found.append(ProcessProblem(BEHIND, message, "Check its log and its load; more instances share the work."))
        return found


_WAIT = "Wait a moment; if it persists, read the process's log."


def transaction_problem(found: OpenTransaction) -> ProcessProblem:
    """Return the problem for a transaction that blocks an input."""
    return ProcessProblem(
        OPEN_TRANSACTION,
        f"A transaction on {found.topic}[{found.partition}] has been open at offset {found.offset} for "
        f"{found.seconds:.0f} s: no record from there on can be read.",
        "End it at its producer, or find it with `kafka-transactions.sh find-hanging` and abort it with "
        "`kafka-transactions.sh abort`.",
    )


def _has_more(partition: Mapping[str, Any]) -> bool:
    end = partition.get("ls_offset", -1)
    if end < 0:
        end = partition.get("hi_offset", -1)
    waiting: bool = partition.get("fetchq_cnt", 0) > 0 or 0 <= partition.get("next_offset", -1) < end
    return waiting


def _percent_read(changelogs: Sequence[Mapping[str, Any]]) -> int | None:
    """Return how much of `changelogs` the application has been given; at most 99, because more may still come."""
    read = every = 0
    for state in changelogs:
        begin = max(state.get("lo_offset", -1), 0)
        read += max(state.get("app_offset", -1) - begin, 0)
        every += max(state.get("hi_offset", -1) - begin, 0)
    return min(99, 100 * read // every) if every else None


def _position(at: tuple[str, int], state: Mapping[str, Any]) -> InputPosition:
    return InputPosition(at[0], at[1], int(state.get("next_offset", -1)), int(state.get("ls_offset", -1)))
