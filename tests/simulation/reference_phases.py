"""The reference model's account of phases: attempts, texts, joins, retries, holds, and the end of a batch.

A phase is a dict; its attempts are a list of dicts, each with the essays commanded (with the texts sent), whether it is
over, which essays it lost and why, and which texts its peer gave. What is asked of a phase is computed from that list
each time, so that nothing here can be forgotten to be kept up to date.
"""

from typing import Any

from schemas import ids
from schemas.internal.events import EssayRef, Event, PhaseConcluded
from tests.simulation.reference_graph import (
    SUCCEEDED,
    essays_lost,
    inputs,
    known,
    newest,
    parents,
    survivors,
)

MOST_ATTEMPTS = 20
OVER = (*SUCCEEDED, "failed", "skipped_due_to_dependency_failure", "skipped_by_user_config", "cancelled")


def new_phase(requested: bool) -> dict[str, Any]:  # noqa: FBT001
    """Return a phase that has not run."""
    status = "pending_dependencies" if requested else "skipped_by_user_config"
    reason = None if requested else "not_requested"
    return {"status": status, "attempts": [], "selection": None, "reopened": False, "stalled": False, "reason": reason}


# --------------------------------------------------------------------------------------------------------------- clocks


def arm(batch: dict[str, Any], now: int, wait_ms: int, kind: str, phase: str = "", slack: float = 0.0) -> None:
    """Arm a clock. `slack` is the share by which the product may vary it.

    In a paused batch `due` is what is left; `order` can be less than nothing, so that of two clocks that were overdue
    the earlier one acts first.
    """
    due = wait_ms if batch["pause"] is not None else now + wait_ms
    batch["clocks"].append({"due": due, "order": due, "kind": kind, "phase": phase, "slack": wait_ms * slack})


def disarm(batch: dict[str, Any], phase: str) -> None:
    """Disarm all clocks of a phase."""
    batch["clocks"] = [clock for clock in batch["clocks"] if clock["phase"] != phase]


# --------------------------------------------------------------------------------------------------------------- starts


def advance(batch: dict[str, Any], now: int) -> None:
    """Start what can start, skip what never will, and end the batch after the last phase."""
    if batch["status"] != "processing_pipelines":
        return
    again = True
    while again:
        again = False
        for name, phase in batch["phases"].items():
            if phase["status"] != "pending_dependencies":
                continue
            before = [batch["phases"][one]["status"] for one in parents(batch, name)]
            good = [status in SUCCEEDED for status in before]
            bad = [status in OVER and status not in SUCCEEDED for status in before]
            joins_any = batch["definition"][name].join == "any"
            waits = phase["reopened"] and not all(status in OVER for status in before)
            if not before or ((any(good) and not waits) if joins_any else all(good)):
                if batch["pause"] is None:
                    start_attempt(batch, now, name)
            elif all(bad) if joins_any else any(bad):
                phase["status"], phase["reason"] = "skipped_due_to_dependency_failure", "dependency_failed"
                again = True
    if all(batch["phases"][name]["status"] in OVER for name in batch["requested"]):
        status = _final(batch)
        reason = "phase_failed" if status == "failed_critically" else None
        end(batch, now, status, reason, phases="cancelled", why="batch_ended")


def start_attempt(batch: dict[str, Any], now: int, name: str) -> None:
    """Command a phase's next attempt, on its selection where it has one."""
    phase, definition = batch["phases"][name], batch["definition"][name]
    chosen = phase["selection"]
    essays = {
        essay: (newest(batch, name, essay, "text"), newest(batch, name, essay, "metrics"))
        for essay in inputs(batch, name)
        if chosen is None or essay in chosen
    }
    number = len(phase["attempts"]) + 1
    attempt = {"number": number, "essays": essays, "over": False, "lost": {}, "outcomes": []}
    attempt |= {"superseded": False, "gave": {"text": {}, "metrics": {}}}
    phase["attempts"].append(attempt)
    phase |= {"status": "dispatch_initiated", "selection": None, "reopened": False, "stalled": False, "reason": None}
    disarm(batch, name)
    arm(batch, now, definition.stalled_after_s * 1_000, "stalled", name)
    arm(batch, now, definition.deadline_s * 1_000, "phase", name)
    command = {
        "kind": "command_phase",
        "phase": name,
        "attempt": number,
        "essays": [(essay, *values) for essay, values in essays.items()],
    }
    batch["published"].append({**command, "correlation": correlation(batch, name, number)})


def correlation(batch: dict[str, Any], name: str, number: int) -> str:
    """Return the correlation id of an attempt."""
    if number == 1:
        return str(batch["correlation"])
    return ids.attempt_correlation_id(batch["batch_id"], batch["registered"], name, number)


# ------------------------------------------------------------------------------------------------------------- outcomes


def outcome(batch: dict[str, Any], event: Event, body: PhaseConcluded) -> tuple[str, str]:
    """Record an outcome, or say why it does not fit."""
    phase = batch["phases"].get(body.phase)
    if phase is None or body.phase not in batch["requested"]:
        return "stale", "phase_not_in_pipeline"
    attempts = phase["attempts"]
    running = phase["status"] == "dispatch_initiated"
    echoed = _echoed(batch, body)
    facts = (
        body.status.value,
        {(ref.essay_id, ref.text_storage_id) for ref in body.essays},
        set(body.failed_essay_ids),
    )
    recorded = any(facts in attempt["outcomes"] for attempt in attempts)
    if recorded and not (running and echoed == attempts[-1]["number"]):
        return "duplicate", "outcome_already_recorded"
    if batch["ended"]:
        return "stale", "batch_ended"
    if not running:
        return "stale", "phase_not_running"
    attempt = attempts[-1]
    if echoed is not None and echoed != attempt["number"]:
        return "stale", "other_attempt"
    named = {ref.essay_id for ref in body.essays} | set(body.failed_essay_ids)
    if named and not named & set(attempt["essays"]):
        return "stale", "foreign_essays_only"
    attempt["outcomes"].append(facts)
    _conclude(batch, body, attempt)
    return "applied", _settle(batch, event.time_ms, body.phase, _why(body))


def _echoed(batch: dict[str, Any], body: PhaseConcluded) -> int | None:
    """Return the attempt that an outcome says it answers: by its number where the peer echoes it, or by correlation."""
    if batch["definition"][body.phase].echoes_attempt and body.attempt is not None:
        return body.attempt
    for attempt in batch["phases"][body.phase]["attempts"]:
        if body.correlation_id == correlation(batch, body.phase, attempt["number"]):
            return int(attempt["number"])
    return None


def _conclude(batch: dict[str, Any], body: PhaseConcluded, attempt: dict[str, Any]) -> None:
    named = {ref.essay_id: ref for ref in body.essays}
    nobody = not named and not body.failed_essay_ids
    for essay in attempt["essays"]:
        if essay in body.failed_essay_ids:
            attempt["lost"][essay] = "failed"
        elif nobody:
            attempt["lost"][essay] = "none_named"
        elif essay not in named:
            attempt["lost"][essay] = "unaccounted"
        else:
            _take(batch, body.phase, attempt, named[essay])
    attempt["over"] = True
    attempt["retryable"] = [one for one in attempt["lost"] if body.retryable and one not in body.not_retryable]


def _take(batch: dict[str, Any], phase: str, attempt: dict[str, Any], ref: EssayRef) -> None:
    """Take what a peer gave an essay, unless the essay already had it."""
    for what, value in (("text", ref.text_storage_id), ("metrics", ref.spellcheck_metrics)):
        if value is not None and value not in known(batch, phase, ref.essay_id, what):
            attempt["gave"][what][ref.essay_id] = value


def _why(body: PhaseConcluded) -> str:
    return {"failed_critically": "peer_failed", "cancelled": "peer_cancelled"}.get(body.status.value, "no_survivors")


def _settle(batch: dict[str, Any], now: int, name: str, why: str) -> str:
    """Say what follows from an attempt that is over: another one, a hold, or the end of the phase."""
    phase, definition = batch["phases"][name], batch["definition"][name]
    attempt = phase["attempts"][-1]
    disarm(batch, name)
    verdict, reason = _together(batch, name, why)
    phase |= {"stalled": False, "reason": reason}
    counted = len([one for one in phase["attempts"] if not one["superseded"]])
    allowed = counted < definition.max_attempts and len(phase["attempts"]) < MOST_ATTEMPTS
    if definition.echoes_attempt and attempt["retryable"] and allowed:
        phase |= {"status": "waiting_to_retry", "selection": attempt["retryable"]}
        arm(batch, now, definition.retry_backoff_s * 1_000 * 2 ** (counted - 1), "retry_backoff", name, slack=0.2)
        return "retry_scheduled"
    if verdict == "failed" and definition.on_failure == "hold":
        phase["status"] = "held"
        arm(batch, now, definition.hold_s * 1_000, "hold", name)
        return "phase_held"
    phase["status"] = verdict
    advance(batch, now)
    return "phase_failed" if verdict == "failed" else "phase_completed"


def _together(batch: dict[str, Any], name: str, why: str) -> tuple[str, str | None]:
    """Return what all attempts of a phase came to, and why where it failed. `why` is that of the last attempt."""
    alive = survivors(batch, name)
    if not essays_lost(batch, name):
        return "completed_successfully", None
    if alive and batch["definition"][name].on_partial_failure == "continue":
        return "completed_with_partial_success", None
    return "failed", "partial_failure" if alive else why


def miss_deadline(batch: dict[str, Any], now: int, name: str) -> None:
    """Give up a running attempt: all its essays are lost, and another attempt may get them back."""
    attempt = batch["phases"][name]["attempts"][-1]
    attempt |= {"over": True, "lost": dict.fromkeys(attempt["essays"], "no_outcome")}
    attempt["retryable"] = list(attempt["essays"])
    _settle(batch, now, name, "deadline_missed")


def expire_hold(batch: dict[str, Any], now: int, name: str) -> None:
    """End a held phase as failed."""
    batch["phases"][name]["status"] = "failed"
    advance(batch, now)


# -------------------------------------------------------------------------------------------------------------- the end


def _final(batch: dict[str, Any]) -> str:
    statuses = [batch["phases"][name]["status"] for name in batch["requested"]]
    if not any(status in SUCCEEDED for status in statuses):
        return "failed_critically"
    whole = all(status == "completed_successfully" for status in statuses)
    return (
        "completed_successfully" if whole and len(batch["ready"]) == len(batch["slots"]) else "completed_with_failures"
    )


def end(batch: dict[str, Any], now: int, status: str, reason: str | None, *, phases: str, why: str) -> None:
    """End the batch as `status`: what still runs or waits ends as `phases` because of `why`, and loses its essays."""
    lost = why if why in ("cancelled", "oversized") else "no_outcome"
    for name, phase in batch["phases"].items():
        if phase["status"] in OVER:
            continue
        attempt = phase["attempts"][-1] if phase["attempts"] else None
        if phase["status"] == "dispatch_initiated" and attempt is not None:
            attempt |= {"over": True, "lost": dict.fromkeys(attempt["essays"], lost)}
        phase |= {"status": phases, "stalled": False, "reason": why}
        disarm(batch, name)
    batch |= {"status": status, "reason": reason, "ended": True, "pause": None, "clocks": []}
    arm(batch, now, batch["purge_after_s"] * 1_000, "purge")
    dead = {essay for name in batch["phases"] for essay in essays_lost(batch, name)}
    ran = all(any(not one["superseded"] for one in batch["phases"][name]["attempts"]) for name in batch["requested"])
    succeeded = len([essay for essay in batch["ready"] if ran and essay not in dead])
    batch["succeeded"] = succeeded
    batch["published"].append(
        {
            "kind": "pipeline_completed",
            "status": status,
            "phases": [name for name in batch["requested"] if batch["phases"][name]["status"] in SUCCEEDED],
            "succeeded": succeeded,
            "failed": len(batch["slots"]) - succeeded,
        }
    )
