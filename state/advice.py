"""What somebody can do about a batch now: each control request, and whether `decide` would apply it.

The answer is made from the status record, which every reader has; the rules themselves are in `state.decision`. A
property test holds that both agree on every state.
"""

from collections.abc import Iterator
from functools import lru_cache

from schemas.internal.enums import PhaseStatus, ReasonCode
from schemas.internal.history import Reason
from schemas.internal.pipeline import PipelineDefinition
from schemas.internal.status import PhaseView, StatusRecord
from state.decision.attempts import MAX_ATTEMPTS
from state.decision.graph import descendants_in
from state.explanation.model import Action
from state.sentences import reason_sentence

_NEVER_RETRIED = {
    PhaseStatus.PENDING_DEPENDENCIES: ReasonCode.PHASE_RUNNING,
    PhaseStatus.COMPLETED_SUCCESSFULLY: ReasonCode.PHASE_SUCCEEDED,
    PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE: ReasonCode.NOTHING_FAILED,
}


def advice(batch: StatusRecord, definition: PipelineDefinition | None = None) -> tuple[Action, ...]:
    """Return the control requests that an owner of `batch` could send now, and what would come of each.

    Resume first, then the retries in the order of the pipeline, pause, and cancel. A retry names a requested phase,
    and all of its essays or those that failed. Without the `definition` that the batch runs, a phase after the retried
    one that has had as many attempts as there can be is not noticed.
    """
    retries = [
        _action(batch, _retry(batch, definition, phase, essays), "retry", phase, essays)
        for phase in batch.requested_phases
        if phase in batch.phases
        for essays in ("failed", "all")
    ]
    resume = None if batch.pause is not None else Reason(code=ReasonCode.NOT_PAUSED)
    pause = None if batch.pause is None else Reason(code=ReasonCode.ALREADY_PAUSED)
    return (
        _action(batch, resume, "resume"),
        *retries,
        _action(batch, pause, "pause"),
        _action(batch, None, "cancel"),
    )


def _action(batch: StatusRecord, refusal: Reason | None, name: str, phase: str = "", essays: str = "") -> Action:
    if batch.status.terminal:
        refusal = Reason(code=ReasonCode.BATCH_ENDED, status=batch.status.value)
    return Action(name, phase, essays) if refusal is None else _refused(name, phase, essays, refusal)


@lru_cache(maxsize=4_096)
def _refused(name: str, phase: str, essays: str, refusal: Reason) -> Action:
    """Return a refused action. Lists ask for the same few again and again, and the sentence is most of the work."""
    return Action(name, phase, essays, allowed=False, refusal=refusal.code, sentence=reason_sentence(refusal))


def _retry(batch: StatusRecord, definition: PipelineDefinition | None, phase: str, essays: str) -> Reason | None:
    if batch.status.waiting:
        return Reason(code=ReasonCode.NOT_STARTED, phase=phase, status=batch.status.value)
    view = batch.phases[phase]
    code = _in_the_way(view, essays)
    if code is not None:
        return Reason(code=code, phase=phase, status=view.status.value)
    for name in (phase, *_after(batch, definition, phase)):
        if batch.phases[name].attempt >= MAX_ATTEMPTS:
            return Reason(code=ReasonCode.TOO_MANY_ATTEMPTS, phase=name, attempt=MAX_ATTEMPTS)
    return None


def _in_the_way(view: PhaseView, essays: str) -> ReasonCode | None:
    never = _NEVER_RETRIED.get(view.status)
    if never is not None:
        return never
    if essays == "all":
        return None
    if view.status is PhaseStatus.DISPATCH_INITIATED:
        return ReasonCode.PHASE_RUNNING
    return None if view.failed + view.unaccounted else ReasonCode.NOTHING_FAILED


def _after(batch: StatusRecord, definition: PipelineDefinition | None, phase: str) -> Iterator[str]:
    if definition is not None:
        yield from (name for name in descendants_in(definition, phase) if name in batch.requested_phases)
