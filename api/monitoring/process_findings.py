"""What is wrong with the processes, judged from what was heard of each. Pure: no clock, no Kafka."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from api.monitoring.processes import ProcessView, bound_s
from runtime.health import BEHIND, NOT_READY, transaction_problem
from schemas.errors import Code
from schemas.internal.processes import OpenTransaction

KINDS = ("router", "orchestrator", "projector")
"""Kinds without which the whole does not work, in the order of the flow."""
JOINING_S = 15.0
"""How long a process may join or restore without a word, while others of its kind work."""


class Finding(Struct, frozen=True):
    """One thing that is wrong."""

    code: str
    """Stable error code, `ORC-…`."""
    process: str
    """Kind, or kind/instance, that it is about."""
    message: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.process}: {self.message}"

    def body(self) -> dict[str, str]:
        """Return it as `/healthz` shows it."""
        return {"code": self.code, "process": self.process, "message": self.message, "next_step": self.next_step}


class ProcessSummary(Struct, frozen=True, kw_only=True):
    """All processes of one kind together."""

    process: str
    members: int
    """Processes that were heard of of late."""
    assigned: int
    """Partitions assigned to them."""
    settled: bool
    """Whether each of them is a settled member of its group."""
    behind_s: float
    """Seconds that the last of them is behind its input."""


def summaries(views: Sequence[ProcessView], behind_s: Mapping[str, float]) -> tuple[ProcessSummary, ...]:
    """Return a summary of each kind; `behind_s` is what else is known about how far a kind is behind."""
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
    """Return what is wrong; `seen` are open transactions that this process itself has met."""
    found = [finding for state in states for finding in _of_kind(state, max_lag_s)]
    for view in views:
        found += _of_process(view, views)
    reported = [one for view in views if view.state == "live" for one in view.record.open_transactions]
    return found + open_transaction_findings([*reported, *seen])


def open_transaction_findings(transactions: Iterable[OpenTransaction]) -> list[Finding]:
    """Return one finding for each transaction, however many readers it holds back."""
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
        found.append(Finding(BEHIND, state.process, message, "Look at its log and its load; more instances share it."))
    return found


def _of_process(view: ProcessView, views: Sequence[ProcessView]) -> list[Finding]:
    record = view.record
    if view.state == "missing" and not view.heard_here and _others_work(view, views):
        return []  # taken away before this api began: what it did is done by others
    if view.state == "missing":
        message = f"has not reported for {view.silent_s:.0f} s; {bound_s(record.interval_s):.0f} s are allowed."
        return [
            Finding(
                Code.PROCESS_MISSING,
                record.name,
                message,
                f"Look at {record.host}, process {record.pid}: it was killed, hangs, or cannot reach Kafka. Start it "
                "again. One that was taken away for good is forgotten after a day.",
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
    if record.kind in KINDS and not _joins_beside_others(view, views):
        found += [
            Finding(problem.code, record.name, problem.message, problem.next_step)
            for problem in record.problems
            if problem.code == NOT_READY
        ]
    return found


def _joins_beside_others(view: ProcessView, views: Sequence[ProcessView]) -> bool:
    """Whether a process has only just begun to join or restore, and others of its kind do the work meanwhile."""
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
