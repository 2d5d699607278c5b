"""The reference model's account of requests: registrations that come again, and cancel, pause, resume and retry."""

from typing import Any

from schemas.internal.events import CancelBatch, Event, PauseBatch, RegisterBatch, ResumeBatch, RetryPhase
from tests.simulation.reference_graph import after, essays_lost, inputs
from tests.simulation.reference_phases import MOST_ATTEMPTS, advance, disarm, end
from tests.simulation.reference_start import match_students

REMEMBERED = 32
"""How many requests of a batch are remembered."""


def request(batch: dict[str, Any], event: Event, body: Any) -> tuple[str, str]:
    """Owner, answered before, then the rules of the request; each answer is remembered but that to a stranger."""
    owner = (body.principal.organisation, body.principal.subject) == batch["owner"]
    controls = not isinstance(body, RegisterBatch) and "batches:any-owner" in body.principal.scopes
    if not (owner or controls):
        return "refused", "foreign_batch_id"
    for request_id, fingerprint in batch["answers"]:
        if request_id == body.request_id:
            return (
                ("duplicate", "request_already_decided")
                if fingerprint == body.fingerprint
                else ("refused", "key_reused")
            )
    if isinstance(body, RegisterBatch) and body.fingerprint == batch["fingerprint"]:
        return "duplicate", "same_registration"
    refusal = _refusal(batch, body)
    batch["answers"] = [*batch["answers"], (body.request_id, body.fingerprint)][-REMEMBERED:]
    if refusal is not None:
        return "refused", refusal
    return "applied", _obey(batch, event, body)


def _refusal(batch: dict[str, Any], body: Any) -> str | None:
    if isinstance(body, RegisterBatch):
        return "key_reused"
    if body.if_version is not None and body.if_version != batch["version"]:
        return "version_changed"
    if batch["ended"]:
        return "batch_ended"
    if isinstance(body, PauseBatch) and batch["pause"] is not None:
        return "already_paused"
    if isinstance(body, ResumeBatch) and batch["pause"] is None:
        return "not_paused"
    if isinstance(body, RetryPhase):
        return retry_refusal(batch, body)
    return None


def retry_refusal(batch: dict[str, Any], body: RetryPhase) -> str | None:
    """Return why a phase cannot be retried, or None."""
    if batch["status"] in ("awaiting_content_validation", "awaiting_student_validation"):
        return "not_started"
    if body.phase not in batch["requested"]:
        return "phase_not_requested"
    in_the_way = _in_the_way(batch, body)
    if in_the_way is not None:
        return in_the_way
    if not isinstance(body.essays, str) and set(body.essays) - set(inputs(batch, body.phase)):
        return "unknown_essays"
    if any(len(batch["phases"][name]["attempts"]) >= MOST_ATTEMPTS for name in (body.phase, *after(batch, body.phase))):
        return "too_many_attempts"
    return None


def _in_the_way(batch: dict[str, Any], body: RetryPhase) -> str | None:
    """Return why the status of a phase does not allow the retry, or None."""
    phase = batch["phases"][body.phase]
    status = phase["status"]
    if status == "pending_dependencies":
        return "phase_running"
    if (
        status == "dispatch_initiated"
        and body.essays != "all"
        and not set(phase["attempts"][-1]["essays"]) <= set(body.essays)
    ):
        return "phase_running"
    if status == "completed_successfully":
        return "phase_succeeded"
    if status == "skipped_due_to_dependency_failure" or not body.essays:
        return "nothing_failed"
    return None


def _obey(batch: dict[str, Any], event: Event, body: Any) -> str:
    now = event.time_ms
    if isinstance(body, CancelBatch):
        end(batch, now, "cancelled", "batch_cancelled", phases="cancelled", why="cancelled")
        return "batch_cancelled"
    if isinstance(body, PauseBatch):
        batch["pause"] = now
        for clock in batch["clocks"]:
            clock["order"] -= now
            clock["due"] = max(0, clock["due"] - now)
        return "batch_paused"
    if isinstance(body, ResumeBatch):
        batch["pause"] = None
        for clock in batch["clocks"]:
            clock["order"] += now
            clock["due"] += now
        match_students(batch)
        advance(batch, now)
        return "batch_resumed"
    retry(batch, now, body)
    return "retry_started"


def retry(batch: dict[str, Any], now: int, body: RetryPhase) -> None:
    """Run a phase again, and everything downstream of it from the beginning."""
    phase = batch["phases"][body.phase]
    chosen = None if body.essays == "all" else list(body.essays)
    if body.essays == "failed":
        chosen = essays_lost(batch, body.phase)
    elif chosen is not None and phase["status"] == "waiting_to_retry":
        chosen += phase["selection"]
    for attempt in phase["attempts"]:
        if chosen is None or not attempt["over"]:
            attempt["superseded"] = True
    _run_again(batch, body.phase, chosen)
    for name in after(batch, body.phase):
        for attempt in batch["phases"][name]["attempts"]:
            attempt["superseded"] = True
        if batch["phases"][name]["status"] != "pending_dependencies":
            batch["phases"][name]["reopened"] = True
        _run_again(batch, name, None)
    advance(batch, now)


def _run_again(batch: dict[str, Any], name: str, selection: Any) -> None:
    again = {"status": "pending_dependencies", "selection": selection, "stalled": False, "reason": None}
    batch["phases"][name] |= again
    disarm(batch, name)
