"""The reference model's account of the start: essays ready, content provisioned, validation failed."""

from typing import Any

from schemas.internal.events import ContentProvisioned, EssaysReady, Event, ValidationFailed
from tests.simulation.reference_phases import advance, end

WITHOUT_CONTENT = ("no_essays", "critical_validation_failure")
"""Why a batch ended for which failed files are the reason: those that are told of later are noted still."""
REMEMBERED = 32
"""How many validation errors of a batch are remembered."""


def ready(batch: dict[str, Any], event: Event, body: EssaysReady) -> tuple[str, str]:
    """Start the batch on the essays named that are its own."""
    if batch["named"] is not None:
        again = {(ref.essay_id, ref.text_storage_id) for ref in body.essays} == batch["named"]
        return "duplicate", "ready_again" if again else "conflicting_ready"
    if batch["ended"]:
        if batch["reason"] not in WITHOUT_CONTENT or body.essays or not body.failures:
            return "stale", "batch_ended"
        batch["files"] += len(body.failures)
        batch["named"] = set()
        return "applied", "validation_failures_recorded"
    own = _own(batch, body.essays)
    if body.essays and not own:
        return "stale", "foreign_essays_only"
    batch["files"] += len(body.failures)
    return "applied", _begin(batch, event, own, body.essays)


def provisioned(batch: dict[str, Any], event: Event, body: ContentProvisioned) -> tuple[str, str]:
    """Start a guest batch; have the essays of a class batch matched to its students."""
    if batch["ended"]:
        return "stale", "batch_ended"
    if batch["status"] == "processing_pipelines":
        return "stale", "already_started"
    if batch["provisioned"]:
        return "stale", "already_provisioned"
    own = _own(batch, body.essays)
    if body.essays and not own:
        return "stale", "foreign_essays_only"
    if not (batch["class"] and own):
        return "applied", _begin(batch, event, own, body.essays)
    batch["provisioned"] = True
    batch["unmatched"] = own
    match_students(batch)
    return "applied", "student_matching_started"


def match_students(batch: dict[str, Any]) -> None:
    """Have the essays of a class batch matched to its students; in a paused batch that waits for the resume."""
    if batch["pause"] is None and batch["unmatched"] and batch["status"] == "awaiting_content_validation":
        batch["status"] = "awaiting_student_validation"
        essays = [(essay, own["text"], own["metrics"]) for essay, own in batch["unmatched"].items()]
        batch["published"].append({"kind": "command_student_matching", "essays": essays})
        batch["unmatched"] = {}


def validation(batch: dict[str, Any], event: Event, body: ValidationFailed) -> tuple[str, str]:
    """Note files that failed validation; a critical failure ends a batch that has not started."""
    facts = (
        body.critical,
        body.total,
        {(one.code, one.message, one.file_name, one.essay_id) for one in body.failures},
    )
    if facts in batch["validations"]:
        return "duplicate", "validation_failures_already_recorded"
    if batch["ended"] and batch["reason"] not in WITHOUT_CONTENT:
        return "stale", "batch_ended"
    batch["validations"] = [*batch["validations"], facts][-REMEMBERED:]
    batch["files"] += max(body.total, len(body.failures))
    if body.critical and batch["status"] != "processing_pipelines" and not batch["ended"]:
        end(
            batch,
            event.time_ms,
            "failed_critically",
            "critical_validation_failure",
            phases="cancelled",
            why="batch_ended",
        )
        return "applied", "critical_validation_failure"
    return "applied", "validation_failures_recorded"


def _own(batch: dict[str, Any], essays: Any) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for ref in essays:
        if ref.essay_id in batch["slots"] and ref.essay_id not in own:
            own[ref.essay_id] = {"text": ref.text_storage_id, "metrics": ref.spellcheck_metrics}
    return own


def _begin(batch: dict[str, Any], event: Event, own: dict[str, Any], named: Any) -> str:
    batch["named"] = {(ref.essay_id, ref.text_storage_id) for ref in named}
    batch["ready"] = own
    if not own:
        end(batch, event.time_ms, "failed_critically", "no_essays", phases="cancelled", why="batch_ended")
        return "no_essays"
    batch["status"] = "processing_pipelines"
    batch["clocks"] = []
    advance(batch, event.time_ms)
    return "pipeline_started"
