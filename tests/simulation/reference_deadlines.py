"""The reference model's account of deadlines."""

from typing import Any

from schemas.internal.events import DeadlineReached, Event
from tests.simulation.reference_phases import end, expire_hold, miss_deadline, start_attempt


def deadline(batch: dict[str, Any], event: Event, body: DeadlineReached, struck: list[str]) -> tuple[str, str]:
    """Act on every armed clock that is due, the earliest first."""
    if body.due_ms > event.time_ms:
        return "stale", "deadline_not_armed"
    if batch["pause"] is not None:
        return "stale", "batch_paused"
    due = [one for one in batch["clocks"] if one["due"] <= body.due_ms]
    if not due:
        return "stale", "batch_ended" if batch["ended"] else "deadline_not_armed"
    reasons: list[str] = []
    for clock in sorted(due, key=lambda one: (one["order"], one["kind"], one["phase"])):
        if clock in batch["clocks"]:
            batch["clocks"].remove(clock)
            struck.append(clock["kind"])
            reasons.append(_strike(batch, event.time_ms, clock))
    return "applied", reasons[-1]


def _strike(batch: dict[str, Any], now: int, clock: dict[str, Any]) -> str:
    kind, phase = clock["kind"], clock["phase"]
    if kind == "stalled":
        batch["phases"][phase]["stalled"] = True
        return "phase_stalled"
    if kind == "phase":
        miss_deadline(batch, now, phase)
        return "phase_deadline_missed"
    if kind == "retry_backoff":
        start_attempt(batch, now, phase)
        return "retry_started"
    if kind == "hold":
        expire_hold(batch, now, phase)
        return "hold_expired"
    if kind == "never_provisioned":
        end(batch, now, "failed_critically", "never_provisioned", phases="cancelled", why="batch_ended")
        return "never_provisioned"
    return "batch_purged"
