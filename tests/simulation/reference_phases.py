"""The reference model's account of phases: attempts, texts, joins, retries, holds, and the end of a batch.

A phase is a dict; its attempts are a list of dicts, each with the essays commanded (with the texts sent), whether it is
over, which essays it lost and why, and which texts its peer gave. What is asked of a phase is computed from that list
each time, so that nothing here can be forgotten to be kept up to date.
"""

from typing import Any

from schemas import ids
from schemas.internal.events import Event, PhaseConcluded, RetryPhase

SUCCEEDED = ("completed_successfully", "completed_with_partial_success")
MOST_ATTEMPTS = 20
OVER = (*SUCCEEDED, "failed", "skipped_due_to_dependency_failure", "skipped_by_user_config", "cancelled")


def new_phase(requested: bool) -> dict[str, Any]:  # noqa: FBT001
    """Return a phase that has not run."""
    status = "pending_dependencies" if requested else "skipped_by_user_config"
    return {"status": status, "attempts": [], "selection": None, "stalled": False, "reason": None}


# --------------------------------------------------------------------------------------------------------------- clocks


def arm(batch: dict[str, Any], now: int, wait_ms: int, kind: str, phase: str = "", slack: float = 0.0) -> None:
    """Arm a clock. In a paused batch `due` is what is left. `slack` is the share by which the product may vary it."""
    due = wait_ms if batch["pause"] is not None else now + wait_ms
    batch["clocks"].append({"due": due, "kind": kind, "phase": phase, "slack": wait_ms * slack})


def disarm(batch: dict[str, Any], phase: str) -> None:
    """Disarm all clocks of a phase."""
    batch["clocks"] = [clock for clock in batch["clocks"] if clock["phase"] != phase]


# ---------------------------------------------------------------------------------------------------------------- graph


def parents(batch: dict[str, Any], name: str) -> list[str]:
    """Return the requested phases that a phase waits for; one that nobody requested is replaced by its own."""
    found: list[str] = []
    for one in batch["definition"][name].after:
        for parent in [one] if one in batch["requested"] else parents(batch, one):
            if parent not in found:
                found.append(parent)
    return found


def ancestors(batch: dict[str, Any], name: str) -> set[str]:
    """Return all requested phases before a phase."""
    found: set[str] = set()
    for parent in parents(batch, name):
        found |= {parent} | ancestors(batch, parent)
    return found


def after(batch: dict[str, Any], name: str) -> list[str]:
    """Return all requested phases after a phase."""
    return [one for one in batch["requested"] if name in ancestors(batch, one)]


def in_order(batch: dict[str, Any]) -> list[str]:
    """Return the phases so that each comes after all that it waits for; the definition's order where that is free."""
    left, placed = list(batch["definition"]), []
    while left:
        name = next(one for one in left if all(parent in placed for parent in batch["definition"][one].after))
        placed.append(name)
        left.remove(name)
    return placed


# --------------------------------------------------------------------------------------------------------------- essays


def _verdicts(batch: dict[str, Any], name: str) -> dict[str, str | None]:
    """Return for each essay that the phase has concluded why it was lost, or None where it survived; newest attempt."""
    found: dict[str, str | None] = {}
    for attempt in batch["phases"][name]["attempts"]:
        if attempt["over"] and not attempt["superseded"]:
            for essay in attempt["essays"]:
                found[essay] = attempt["lost"].get(essay)
    return found


def essays_lost(batch: dict[str, Any], name: str) -> list[str]:
    """Return the essays that a phase lost, all attempts together."""
    return [essay for essay, why in _verdicts(batch, name).items() if why is not None]


def survivors(batch: dict[str, Any], name: str) -> list[str]:
    """Return the essays that survived a phase, all attempts together."""
    return [essay for essay, why in _verdicts(batch, name).items() if why is None]


def inputs(batch: dict[str, Any], name: str) -> list[str]:
    """Return the essays that a phase can work on, in the order of the ready event."""
    before = parents(batch, name)
    if not before:
        return list(batch["ready"])
    alive = {essay for one in before if batch["phases"][one]["status"] in SUCCEEDED for essay in survivors(batch, one)}
    return [essay for essay in batch["ready"] if essay in alive]


def _given(batch: dict[str, Any], name: str, essay: str) -> str | None:
    """Return the text that a phase gave an essay, by the newest attempt on it that counts, or None."""
    text = None
    for attempt in batch["phases"][name]["attempts"]:
        if not attempt["superseded"] and essay in attempt["essays"]:
            text = attempt["gave"].get(essay)
    return text


def newest(batch: dict[str, Any], name: str, essay: str) -> str:
    """Return the text of an essay that a phase is sent: the newest by the graph, of the phases with survivors."""
    good = [one for one in ancestors(batch, name) if batch["phases"][one]["status"] in SUCCEEDED]
    givers = [one for one in in_order(batch) if one in good and _given(batch, one, essay)]
    last = [one for one in givers if not any(one in ancestors(batch, other) for other in givers)]
    text = _given(batch, last[-1], essay) if last else None
    return str(batch["ready"][essay]) if text is None else text


# --------------------------------------------------------------------------------------------------------------- starts


def advance(batch: dict[str, Any], now: int) -> None:
    """Start what can start, skip what never will, and end the batch after the last phase."""
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
            if not before or (any(good) if joins_any else all(good)):
                if batch["pause"] is None:
                    start_attempt(batch, now, name)
            elif all(bad) if joins_any else any(bad):
                phase["status"], phase["reason"] = "skipped_due_to_dependency_failure", "dependency_failed"
                again = True
    if all(batch["phases"][name]["status"] in OVER for name in batch["requested"]):
        end(batch, now, _final(batch), None, phases="cancelled", lost="no_outcome")


def start_attempt(batch: dict[str, Any], now: int, name: str) -> None:
    """Command a phase's next attempt, on its selection where it has one."""
    phase, definition = batch["phases"][name], batch["definition"][name]
    chosen = phase["selection"]
    essays = {e: newest(batch, name, e) for e in inputs(batch, name) if chosen is None or e in chosen}
    number = len(phase["attempts"]) + 1
    attempt = {"number": number, "essays": essays, "over": False, "lost": {}, "gave": {}, "outcomes": []}
    attempt |= {"superseded": False, "started": now}
    phase["attempts"].append(attempt)
    phase |= {"status": "dispatch_initiated", "selection": None, "stalled": False, "reason": None}
    disarm(batch, name)
    arm(batch, now, definition.stalled_after_s * 1_000, "stalled", name)
    arm(batch, now, definition.deadline_s * 1_000, "phase", name)
    command = {"kind": "command_phase", "phase": name, "attempt": number, "essays": list(essays.items())}
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
    texts: dict[str, str] = {}
    for ref in body.essays:
        texts[ref.essay_id] = ref.text_storage_id
    nobody = not texts and not body.failed_essay_ids
    for essay in attempt["essays"]:
        if essay in body.failed_essay_ids:
            attempt["lost"][essay] = "failed"
        elif nobody:
            attempt["lost"][essay] = "none_named"
        elif essay not in texts:
            attempt["lost"][essay] = "unaccounted"
        elif texts[essay] not in _known_texts(batch, body.phase, essay):
            attempt["gave"][essay] = texts[essay]
    attempt["over"] = True
    attempt["retryable"] = [essay for essay in attempt["lost"] if body.retryable and essay not in body.not_retryable]


def _known_texts(batch: dict[str, Any], phase: str, essay: str) -> set[str]:
    """Return every text that an essay already had before a phase."""
    given = {_given(batch, name, essay) for name in ancestors(batch, phase)}
    return {batch["ready"][essay]} | {text for text in given if text is not None}


def _why(body: PhaseConcluded) -> str:
    return {"failed_critically": "peer_failed", "cancelled": "peer_cancelled"}.get(body.status.value, "no_survivors")


def _settle(batch: dict[str, Any], now: int, name: str, why: str) -> str:
    """Say what follows from an attempt that is over: another one, a hold, or the end of the phase."""
    phase, definition = batch["phases"][name], batch["definition"][name]
    attempt = phase["attempts"][-1]
    disarm(batch, name)
    phase["stalled"] = False
    counted = len([one for one in phase["attempts"] if not one["superseded"]])
    allowed = counted < definition.max_attempts and len(phase["attempts"]) < MOST_ATTEMPTS
    if definition.echoes_attempt and attempt["retryable"] and allowed:
        phase["status"], phase["selection"] = "waiting_to_retry", attempt["retryable"]
        arm(batch, now, definition.retry_backoff_s * 1_000 * 2 ** (counted - 1), "retry_backoff", name, slack=0.2)
        return "retry_scheduled"
    lost, alive = essays_lost(batch, name), survivors(batch, name)
    if not lost:
        phase["status"] = "completed_successfully"
    elif alive and definition.on_partial_failure == "continue":
        phase["status"] = "completed_with_partial_success"
    else:
        phase["reason"] = "partial_failure" if alive else why
        if definition.on_failure == "hold":
            phase["status"] = "held"
            arm(batch, now, definition.hold_s * 1_000, "hold", name)
            return "phase_held"
        phase["status"] = "failed"
    failed = phase["status"] == "failed"
    advance(batch, now)
    return "phase_failed" if failed else "phase_completed"


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


def retry(batch: dict[str, Any], now: int, body: RetryPhase) -> None:
    """Run a phase again, and everything downstream of it from the beginning."""
    phase = batch["phases"][body.phase]
    chosen = None if body.essays == "all" else list(body.essays)
    if body.essays == "failed":
        chosen = essays_lost(batch, body.phase)
    for attempt in phase["attempts"]:
        if chosen is None or not attempt["over"]:
            attempt["superseded"] = True
    _run_again(batch, body.phase, chosen)
    for name in after(batch, body.phase):
        for attempt in batch["phases"][name]["attempts"]:
            attempt["superseded"] = True
        _run_again(batch, name, None)
    advance(batch, now)


def _run_again(batch: dict[str, Any], name: str, selection: Any) -> None:
    again = {"status": "pending_dependencies", "selection": selection, "stalled": False, "reason": None}
    batch["phases"][name] |= again
    disarm(batch, name)


# -------------------------------------------------------------------------------------------------------------- the end


def _final(batch: dict[str, Any]) -> str:
    statuses = [batch["phases"][name]["status"] for name in batch["requested"]]
    if not any(status in SUCCEEDED for status in statuses):
        return "failed_critically"
    whole = all(status == "completed_successfully" for status in statuses)
    return (
        "completed_successfully" if whole and len(batch["ready"]) == len(batch["slots"]) else "completed_with_failures"
    )


def end(batch: dict[str, Any], now: int, status: str, reason: str | None, *, phases: str, lost: str | None) -> None:
    """End the batch as `status`: what still runs or waits ends as `phases` and loses its essays as `lost`."""
    for name, phase in batch["phases"].items():
        if phase["status"] in OVER:
            continue
        attempt = phase["attempts"][-1] if phase["attempts"] else None
        if phase["status"] == "dispatch_initiated" and attempt is not None:
            attempt |= {"over": True, "lost": dict.fromkeys(attempt["essays"], lost)}
        phase["status"] = phases
        disarm(batch, name)
    batch |= {"status": status, "reason": reason, "ended": True, "pause": None, "clocks": []}
    arm(batch, now, batch["purge_after_s"] * 1_000, "purge")
    dead = {essay for name in batch["phases"] for essay in essays_lost(batch, name)}
    succeeded = len([essay for essay in batch["ready"] if essay not in dead])
    batch["published"].append(
        {
            "kind": "pipeline_completed",
            "status": status,
            "phases": [name for name in batch["requested"] if batch["phases"][name]["status"] in SUCCEEDED],
            "succeeded": succeeded,
            "failed": len(batch["slots"]) - succeeded,
        }
    )
