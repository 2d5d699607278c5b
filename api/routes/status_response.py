"""The HTTP body of a batch's status (docs/http.md, docs/wire-contract.md)."""

from typing import Any

import msgspec

from api.times import timestamp
from schemas.internal.status import PhaseView, StatusRecord

__all__ = ["status_body", "timestamp"]


def status_body(record: StatusRecord) -> dict[str, Any]:
    """Return the body of a GET; its values can be encoded as JSON."""
    return {
        "batch_id": record.batch_id,
        "status": record.status.value,
        "version": record.version,
        "correlation_id": record.correlation_id,
        "reason": record.reason,
        "stalled": record.stalled,
        "held": record.held,
        "paused": _paused(record),
        "counts": msgspec.to_builtins(record.counts),
        "failed_essays": msgspec.to_builtins(record.failed_essays),
        "file_failures": msgspec.to_builtins(record.file_failures),
        "file_failures_total": record.file_failures_total,
        "registered_at": timestamp(record.registered_ms),
        "updated_at": timestamp(record.updated_ms),
        "ended_at": timestamp(record.ended_ms),
        "pipeline": {"name": record.pipeline, "version": record.pipeline_version},
        "deadlines": [
            {"kind": d.kind.value, "phase": d.phase, "attempt": d.attempt, "due_at": timestamp(d.due_ms)}
            for d in record.deadlines
        ],
        "owner": {"subject": record.owner_subject, "organisation": record.owner_organisation},
        "batch_context": _context(record),
        "pipeline_state": _pipeline_state(record),
    }


def _paused(record: StatusRecord) -> dict[str, Any] | None:
    pause = record.pause
    if pause is None:
        return None
    return {"since": timestamp(pause.since_ms), "by": pause.by, "reason": pause.reason}


def _context(record: StatusRecord) -> dict[str, Any]:
    context = record.context
    return {
        "course_code": context.course_code_given,
        "course_code_published": context.course_code,
        "language": context.language,
        "class_designation": context.class_designation,
        "teacher_name": context.teacher_name,
        "essay_instructions": context.essay_instructions,
        "expected_essay_count": record.counts.expected,
        "enable_cj_assessment": context.enable_cj_assessment,
        "user_id": context.user_id,
        "org_id": context.org_id,
        "class_id": context.class_id,
        "assignment_id": context.assignment_id,
        "student_prompt_ref": context.student_prompt_ref,
        "cj_default_llm_model": context.cj_default_llm_model,
        "cj_default_temperature": context.cj_default_temperature,
    }


def _pipeline_state(record: StatusRecord) -> dict[str, Any]:
    state: dict[str, Any] = {
        "batch_id": record.batch_id,
        "requested_pipelines": list(record.requested_phases),
        "last_updated": timestamp(record.updated_ms),
    }
    return state | {name: _detail(phase) for name, phase in record.phases.items()}


def _detail(phase: PhaseView) -> dict[str, Any]:
    failed = phase.failed + phase.unaccounted
    return {
        "status": phase.status.value,
        "attempt": phase.attempt,
        "essay_counts": {
            "total": phase.commanded,
            "pending_dispatch_or_processing": phase.commanded - phase.succeeded - failed,
            "successful": phase.succeeded,
            "failed": failed,
        },
        "unaccounted": phase.unaccounted,
        "foreign": phase.foreign,
        "started_at": timestamp(phase.started_ms),
        "completed_at": timestamp(phase.completed_ms),
        "stalled": phase.stalled,
        "retry_due_at": timestamp(phase.retry_due_ms),
        "error_info": {"reason": phase.reason} if phase.reason is not None else None,
        "progress_percentage": _progress(phase),
    }


def _progress(phase: PhaseView) -> float | None:
    """Return 0 until the outcome, because peers report a phase as a whole; None for a phase that was skipped."""
    if phase.status.terminal:
        return 100.0 if phase.attempt else None
    return 0.0
