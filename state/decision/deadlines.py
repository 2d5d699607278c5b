"""Rules for deadlines: what happens when time has passed without the event that was waited for.

A `deadline_reached` event says up to when time has passed, not which deadline is meant. So it can be repeated, doubled
or late: it acts on what is armed and due when it is decided, and a deadline that was acted on is armed no longer.
"""

from collections.abc import Callable

from msgspec.structs import replace

from schemas.internal.effects import Effect
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, LostReason, PhaseReason, ReasonCode
from schemas.internal.events import DeadlineReached, Event
from schemas.internal.history import Reason
from schemas.internal.status import Deadline
from state.batch import Batch
from state.decision.attempts import cut_off
from state.decision.ending import end
from state.decision.graph import definition_of
from state.decision.holds import fail_held
from state.decision.phases import advance, conclude_attempt, start_attempt, with_run
from state.decision.result import Decision

Acted = tuple[Batch, tuple[Effect, ...], Reason]


def deadline_reached(batch: Batch, event: Event, body: DeadlineReached) -> Decision:
    """Act on every armed deadline up to `due_ms`, the earliest first. The reason is that of the last one."""
    if body.due_ms > event.time_ms:
        return _stale(batch, ReasonCode.DEADLINE_NOT_ARMED, "due_ms is later than the append time of the event")
    if batch.pause is not None:
        return _stale(batch, ReasonCode.BATCH_PAUSED)
    due = [deadline for deadline in batch.deadlines if deadline.due_ms <= body.due_ms]
    if not due:
        return _stale(batch, ReasonCode.BATCH_ENDED if batch.status.terminal else ReasonCode.DEADLINE_NOT_ARMED)
    if batch.status.terminal:  # Its only deadline is the purge.
        return Decision(None, (), Disposition.APPLIED, Reason(code=ReasonCode.BATCH_PURGED))
    effects: tuple[Effect, ...] = ()
    for deadline in due:
        if deadline in batch.deadlines:  # An earlier one can have ended the attempt or the batch that it belongs to.
            left = tuple(armed for armed in batch.deadlines if armed != deadline)
            batch, more, reason = _RULES[deadline.kind](replace(batch, deadlines=left), event, deadline)
            effects += more
    return Decision.applied(batch, event, effects, reason)


def _stalled(batch: Batch, _event: Event, deadline: Deadline) -> Acted:
    """Flag the phase. Its attempt goes on: an outcome still counts, and clears the flag."""
    run = replace(batch.phases[deadline.phase], stalled=True)
    return with_run(batch, deadline.phase, run), (), _reason(ReasonCode.PHASE_STALLED, batch, deadline)


def _missed(batch: Batch, event: Event, deadline: Deadline) -> Acted:
    """Give the attempt up: its essays are lost, and the phase is retried, held or failed as after a failure."""
    attempt = batch.phases[deadline.phase].attempts[-1]
    lost = cut_off(batch, attempt, LostReason.NO_OUTCOME)
    attempt = replace(attempt, lost=lost, reason=PhaseReason.DEADLINE_MISSED)
    batch = conclude_attempt(batch, event, deadline.phase, attempt)
    reason = _reason(ReasonCode.PHASE_DEADLINE_MISSED, batch, deadline, essays=len(lost))
    batch, effects = advance(batch, event)
    return batch, effects, reason


def _backed_off(batch: Batch, event: Event, deadline: Deadline) -> Acted:
    """Start the attempt that was waited for."""
    batch, command = start_attempt(batch, event, definition_of(batch, deadline.phase))
    return batch, (command,), _reason(ReasonCode.RETRY_STARTED, batch, deadline, essays=len(command.essays))


def _never_provisioned(batch: Batch, event: Event, _deadline: Deadline) -> Acted:
    """End a batch whose essays never came."""
    code = ReasonCode.NEVER_PROVISIONED
    batch, completed = end(batch, event, BatchStatus.FAILED_CRITICALLY, code)
    return batch, (completed,), Reason(code=code, unaccounted=batch.expected)


def _hold_expired(batch: Batch, event: Event, deadline: Deadline) -> Acted:
    """Fail a phase that was held: nobody retried it in time."""
    batch = fail_held(batch, deadline.phase)
    reason = _reason(ReasonCode.HOLD_EXPIRED, batch, deadline)
    batch, effects = advance(batch, event)
    return batch, effects, reason


_RULES: dict[DeadlineKind, Callable[[Batch, Event, Deadline], Acted]] = {
    DeadlineKind.STALLED: _stalled,
    DeadlineKind.PHASE: _missed,
    DeadlineKind.RETRY_BACKOFF: _backed_off,
    DeadlineKind.NEVER_PROVISIONED: _never_provisioned,
    DeadlineKind.HOLD: _hold_expired,
}


def _reason(code: ReasonCode, batch: Batch, deadline: Deadline, *, essays: int | None = None) -> Reason:
    status = batch.phases[deadline.phase].status
    return Reason(code=code, phase=deadline.phase, attempt=deadline.attempt, status=status.value, essays=essays)


def _stale(batch: Batch, code: ReasonCode, detail: str | None = None) -> Decision:
    return Decision.stale(batch, Reason(code=code, status=batch.status.value, detail=detail))
