"""Health findings about the processes, derived from their newest reports. Pure: no clock, no Kafka."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from api.monitoring.processes import ProcessView, bound_s
from runtime.health import BEHIND, NOT_READY, transaction_problem
from schemas.errors import Code
from schemas.internal.processes import OpenTransaction

KINDS = ("router", "orchestrator", "projector", "timekeeper")
"""Kinds of processes that the product needs, in the order of the data flow."""
JOINING_S = 15.0
"""Seconds that a process may join or restore without a finding, while others of its kind work."""


class Finding(Struct, frozen=True):
    """One health problem."""

    code: str
    """Stable error code, `ORC-…`."""
    process: str
    """Kind, or kind/instance, of the process that has the problem."""
    message: str
    """What is wrong, as a sentence."""
    next_step: str
    """What the operator can do, as a sentence."""

    def __str__(self) -> str:
        return f"{self.process}: {self.message}"

    def body(self) -> dict[str, str]:
        """Return the finding in the form of `/healthz`."""
        return {"code": self.code, "process": self.process, "message": self.message, "next_step": self.next_step}


class ProcessSummary(Struct, frozen=True, kw_only=True):
    """The state of all processes of one kind."""

    process: str
    members: int
    """Number of live processes."""
    assigned: int
    """Number of partitions assigned to them."""
    settled: bool
    """Whether each of them is a stable member of its consumer group."""
    behind_s: float
    """Largest lag of them, in seconds."""


def summaries(views: Sequence[ProcessView], behind_s: Mapping[str, float]) -> tuple[ProcessSummary, ...]:
    """Return a summary of each kind; `behind_s` holds further known lags by kind, in seconds."""
    found = []
    for kind in KINDS:
        live = [view.record for view in views if view.record.kind == kind and view.state == "live"]
        found.append(
            ProcessSummary(
                process=kind,
                members=len(live),
                assigned=sum(record.partitions for record in live),
                settled=all(record.assigned for record in live),
                behind_s=max([record.lag_s for record in live] + [behind_s.get(kind, 0.0)]),
            )
        )
    return tuple(found)


def findings(
    views: Sequence[ProcessView],
    states: Sequence[ProcessSummary],
    *,
    max_lag_s: float,
    seen: Sequence[OpenTransaction] = (),
) -> list[Finding]:
    """Return all findings; `seen` are open transactions that this process itself has observed."""
    found = [finding for state in states for finding in _of_kind(state, max_lag_s)]
    for view in views:
        found += _of_process(view, views)
    reported = [one for view in views if view.state == "live" for one in view.record.open_transactions]
    return found + open_transaction_findings([*reported, *seen])


def open_transaction_findings(transactions: Iterable[OpenTransaction]) -> list[Finding]:
    """Return one finding for each open transaction, even if it blocks several readers."""
    longest: dict[tuple[str, int, int], OpenTransaction] = {}
    for one in transactions:
        at = (one.topic, one.partition, one.offset)
        if at not in longest or longest[at].seconds < one.seconds:
            longest[at] = one
    problems = [transaction_problem(longest[at]) for at in sorted(longest)]
    return [Finding(problem.code, "kafka", problem.message, problem.next_step) for problem in problems]


def _of_kind(state: ProcessSummary, max_lag_s: float) -> list[Finding]:
    found = []
    if not state.members:
        found.append(
            Finding(
                Code.PROCESS_MISSING,
                state.process,
                "no process is running.",
                f"Start one: `bos {state.process}`. Where one runs, read its log: it cannot write its reports.",
            )
        )
    elif not state.assigned:
        found.append(
            Finding(NOT_READY, state.process, "no partitions are assigned yet.", "Wait a moment, then read its log.")
        )
    if state.behind_s > max_lag_s:
        message = f"{state.behind_s:.0f} s behind; {max_lag_s:.0f} s are allowed."
        found.append(Finding(BEHIND, state.process, message, "Check its log and load; more instances share it."))
    return found


def _of_process(view: ProcessView, views: Sequence[ProcessView]) -> list[Finding]:
    record = view.record
    if view.state == "missing" and not view.heard_here and _others_work(view, views):
        return []  # it was removed before this api started, and others do its work
    if view.state == "missing":
        message = f"has not reported for {view.silent_s:.0f} s; {bound_s(record.interval_s):.0f} s are allowed."
        return [
            Finding(
                Code.PROCESS_MISSING,
                record.name,
                message,
                f"Check process {record.pid} on {record.host}: it was killed, hangs, or cannot reach Kafka. Start it "
                f"again. If it was removed for good: `bos system forget {record.name}`.",
            )
        ]
    if view.state == "failed":
        return [
            Finding(problem.code, record.name, f"has ended: {problem.message}", problem.next_step)
            for problem in record.problems
        ]
    if view.state != "live":
        return []
    found = []
    if view.shares_instance:
        found.append(
            Finding(
                Code.INSTANCE_TWICE,
                record.name,
                f"two processes with one INSTANCE: one of them runs on {record.host} as process {record.pid}.",
                "Stop one of them, and give it an INSTANCE of its own: they take partitions and transactions from "
                "each other.",
            )
        )
    if record.kind in KINDS:
        # Lags and open transactions are judged for all processes together.
        told = {Code.DEADLINE_GATE} if _joins_beside_others(view, views) else {Code.DEADLINE_GATE, NOT_READY}
        found += [
            Finding(problem.code, record.name, problem.message, problem.next_step)
            for problem in record.problems
            if problem.code in told
        ]
    return found


def _joins_beside_others(view: ProcessView, views: Sequence[ProcessView]) -> bool:
    """Whether a process has just begun to join or restore while others of its kind do the work."""
    if not view.record.alive or view.unready_s > JOINING_S:
        return False
    return _others_work(view, views)


def _others_work(view: ProcessView, views: Sequence[ProcessView]) -> bool:
    return any(
        other.state == "live"
        and other.record.kind == view.record.kind
        and other.record.start_id != view.record.start_id
        and other.record.assigned
        and other.record.restored
        and other.record.partitions
        for other in views
    )
