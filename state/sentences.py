"""Sentences for people: what a history record says, from its reason's code and typed parameters.

The codes are what programs read; a sentence may change from one version of the product to the next.
"""

from collections import defaultdict

from schemas.internal.enums import PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.history import EffectNote, HistoryRecord, Reason
from state.phrases import counted

R = ReasonCode

_SENTENCES: dict[ReasonCode, str] = {
    R.REGISTERED: "registered with {essays} essay slots",
    R.PIPELINE_STARTED: "{some_essays} {are} ready",
    R.STUDENT_MATCHING_STARTED: "{some_essays} {are} provisioned; their students are matched first",
    R.VALIDATION_FAILURES_RECORDED: "{some_files} failed validation",
    R.CRITICAL_VALIDATION_FAILURE: "validation failed critically for {some_files}",
    R.NO_ESSAYS: "no file became an essay",
    R.PHASE_COMPLETED: "{phase}: {some_essays} passed",
    R.PHASE_FAILED: "{phase} failed: {some_essays} passed",
    R.OVERSIZED: "{what} has {size} bytes; the limit is {limit}",
    R.UNKNOWN_BATCH: "there is no such batch",
    R.SAME_REGISTRATION: "equals the registration of this batch",
    R.REQUEST_ALREADY_DECIDED: "this request was decided before: {status}",
    R.READY_AGAIN: "equals the event that started the batch",
    R.CONFLICTING_READY: "the batch was started before, with other essays",
    R.OUTCOME_ALREADY_RECORDED: "{phase}: equals an outcome that was recorded before",
    R.VALIDATION_FAILURES_ALREADY_RECORDED: "these validation failures were recorded before",
    R.KEY_REUSED: "the key or request id was used before with other content",
    R.FOREIGN_BATCH_ID: "the batch belongs to another owner",
    R.BATCH_ENDED: "the batch has ended: {status}",
    R.ALREADY_STARTED: "the batch has started before",
    R.ALREADY_PROVISIONED: "the content was provisioned before",
    R.FOREIGN_ESSAYS_ONLY: "it names no essay of this batch that was commanded",
    R.PHASE_NOT_IN_PIPELINE: "{phase} is not requested for this batch",
    R.PHASE_NOT_RUNNING: "{phase} is not running: {status}",
    R.OTHER_ATTEMPT: "{phase}: it answers attempt {attempt}, which is not the running one",
    R.DEADLINE_NOT_ARMED: "no deadline is armed up to that time",
    R.BATCH_CANCELLED: "cancelled",
    R.BATCH_PAUSED: "paused",
    R.BATCH_RESUMED: "resumed",
    R.BATCH_PURGED: "purged",
    R.RETRY_STARTED: "{phase} is tried again",
    R.RETRY_SCHEDULED: "{phase}: another attempt follows after its backoff",
    R.PHASE_STALLED: "{phase} is overdue",
    R.PHASE_DEADLINE_MISSED: "{phase}: no outcome came before its deadline",
    R.PHASE_HELD: "{phase} failed and is held for a person",
    R.HOLD_EXPIRED: "{phase}: nobody acted while it was held",
    R.NEVER_PROVISIONED: "the essays never came",
    R.ALREADY_PAUSED: "the batch is paused already",
    R.NOT_PAUSED: "the batch is not paused",
    R.NOT_STARTED: "the batch still waits for its essays",
    R.VERSION_CHANGED: "the batch has changed since the version that the request names",
    R.PHASE_NOT_REQUESTED: "{phase} is not requested for this batch",
    R.PHASE_SUCCEEDED: "{phase} has completed with all its essays",
    R.PHASE_RUNNING: "{phase} is running or has not started yet",
    R.NOTHING_FAILED: "{phase} has lost no essay",
    R.UNKNOWN_ESSAYS: "{phase} has no such essays",
    R.TOO_MANY_ATTEMPTS: "{phase} has had as many attempts as there can be",
    R.NO_BATCH_LEFT: "the batch has been purged",
    R.PROCESS_CRASHED: "deciding it ended the process",
    R.DECISION_FAILED: "a rule failed",
    R.UNREADABLE_RECORD: "the record cannot be decoded",
    R.KEY_MISMATCH: "the record has the key of another batch",
}

_AFTER_A_DEADLINE = {
    PhaseStatus.HELD.value: "it is held for a person",
    PhaseStatus.WAITING_TO_RETRY.value: "another attempt follows after its backoff",
}
"""What a phase does after its deadline, by its status."""

_PHASE_REASONS = {
    PhaseReason.PEER_FAILED: "the peer reported failure",
    PhaseReason.PEER_CANCELLED: "the peer cancelled it",
    PhaseReason.NO_SURVIVORS: "no essay passed",
    PhaseReason.PARTIAL_FAILURE: "one lost essay fails this phase",
    PhaseReason.DEADLINE_MISSED: "no outcome came before its deadline",
    PhaseReason.DEPENDENCY_FAILED: "a phase before it failed",
    PhaseReason.NOT_REQUESTED: "it was not requested",
    PhaseReason.CANCELLED: "the batch was cancelled",
    PhaseReason.BATCH_ENDED: "the batch ended",
    PhaseReason.OVERSIZED: "a result was too large",
}


def phase_reason(reason: PhaseReason) -> str:
    """Return why a phase ended, would end, or was skipped, as a part of a sentence."""
    return _PHASE_REASONS.get(reason, str(reason.value).replace("_", " "))


def sentence(record: HistoryRecord) -> str:
    """Return what a history record says in one line: its reason, its counts, and what was commanded."""
    reason = record.reason
    parts = [reason_sentence(reason)]
    if reason.unaccounted:
        parts[0] += f", {reason.unaccounted} not accounted for"
    if record.failed:
        parts[0] += f", {record.failed} lost"
    if reason.foreign:
        parts[0] += f", {reason.foreign} foreign"
    if reason.detail:
        parts[0] += f" ({reason.detail})"
    if reason.code is R.PHASE_DEADLINE_MISSED:
        parts += [said for change in record.changes if (said := _AFTER_A_DEADLINE.get(change.after))]
    parts += [said for effect in record.effects if (said := _effect(effect))]
    return "; ".join(parts)


def reason_sentence(reason: Reason) -> str:
    """Return what a reason says, without the counts that its own sentence does not name."""
    template = _SENTENCES.get(reason.code, str(reason.code.value).replace("_", " "))
    facts = {name: value for name in reason.__struct_fields__ if (value := getattr(reason, name)) is not None}
    essays = facts.get("essays", "?")
    counts = {"some_essays": counted(essays, "essay"), "some_files": counted(essays, "file")}
    counts["are"] = "is" if essays == 1 else "are"
    return template.format_map(defaultdict(lambda: "?", facts | counts))


def _effect(effect: EffectNote) -> str:
    match effect.kind:
        case "command_phase":
            again = f" (attempt {effect.attempt})" if effect.attempt > 1 else ""
            return f"{effect.phase}{again} commanded for {counted(effect.essays, 'essay')}"
        case "pipeline_completed":
            return "the batch has ended"
        case _:
            return ""
