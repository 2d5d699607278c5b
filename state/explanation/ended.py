"""Explanations of batches that have ended."""

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseStatus, ReasonCode
from schemas.internal.history import Reason
from schemas.internal.status import PhaseView
from state.explanation.model import Facts, Finding, WhyCode
from state.phrases import counted, duration, listed
from state.sentences import phase_reason, reason_sentence


def ended(facts: Facts) -> Finding | None:
    """How the batch ended, and what became of its essays."""
    batch = facts.batch
    if not batch.status.terminal:
        return None
    match batch.status:
        case BatchStatus.COMPLETED_SUCCESSFULLY:
            code, said = WhyCode.ENDED_WELL, _completed(facts)
        case BatchStatus.COMPLETED_WITH_FAILURES:
            code, said = WhyCode.ENDED_PARTLY, f"Completed with failures: {_passed(facts)}"
        case BatchStatus.CANCELLED:
            code, said = WhyCode.ENDED_CANCELLED, f"Cancelled: {_passed(facts)}"
        case _:
            code, said = WhyCode.ENDED_IN_FAILURE, f"Failed: {_failure(facts)}"
    since = batch.ended_ms if batch.ended_ms is not None else batch.updated_ms
    ago, took = duration(facts.now_ms - since), duration(since - batch.registered_ms)
    purge = next((each.due_ms for each in batch.deadlines if each.kind is DeadlineKind.PURGE), None)
    then = "" if purge is None else "its record is purged"
    return Finding(code, since, f"{said}; ended {ago} ago, {took} after its registration.", "", then, purge)


def _completed(facts: Facts) -> str:
    counts = facts.batch.counts
    passed = listed(tuple(name for name, view in facts.requested() if view.status.succeeded))
    if counts.expected == 1:
        return f"Completed: the essay passed {passed}"
    return f"Completed: all {counts.expected} essays passed {passed}"


def _passed(facts: Facts) -> str:
    counts = facts.batch.counts
    parts = [f"{counts.succeeded} of {counted(counts.expected, 'essay')} passed", *_losses(facts)]
    if counts.unaccounted:
        parts.append(f"{counts.unaccounted} never came")
    return ", ".join(parts)


def _losses(facts: Facts) -> list[str]:
    return [said for name, view in facts.requested() if (said := _loss(name, view))]


def _loss(name: str, view: PhaseView) -> str:
    if view.status is PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE:
        return f"{name} was skipped"
    lost = view.failed + view.unaccounted
    why = "" if view.reason is None else f" ({phase_reason(view.reason)})"
    return f"{lost} lost in {name}{why}" if lost else ""


def _failure(facts: Facts) -> str:
    """Return why the batch failed: its phases that lost essays, or the reason of the batch itself."""
    batch = facts.batch
    losses = _losses(facts)
    if batch.reason is None or batch.reason is ReasonCode.PHASE_FAILED:
        return ", ".join(losses) or "no phase had an essay left"
    if batch.reason is ReasonCode.OVERSIZED:
        return "the result of an event was too large to be stored or published"
    files = Reason(code=batch.reason, essays=batch.file_failures_total)
    return ", ".join([reason_sentence(files), *losses])
