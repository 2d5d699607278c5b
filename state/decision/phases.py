"""Rules for phases: which starts, which is skipped, what the end of an attempt makes of its phase."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.effects import CommandPhase, Effect
from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason, PhaseStatus, ReasonCode
from schemas.internal.events import Event
from schemas.internal.pipeline import PhaseDefinition
from state.batch import Attempt, Batch, PhaseRun
from state.decision.attempts import conclude, correlation_of, next_essays, tally
from state.decision.clocks import arm, disarm
from state.decision.commands import generic_command
from state.decision.ending import end, final_status
from state.decision.graph import definition_of, dependencies
from state.decision.holds import hold
from state.decision.retries import retry_later
from state.decision.texts import newest_of
from state.decision.transitions import phase_status


def advance(batch: Batch, event: Event) -> tuple[Batch, tuple[Effect, ...]]:
    """Start the phases that can start, skip those that never can, and end the batch after the last.

    In a paused batch no phase starts; one that could stays pending.
    """
    if batch.status is not BatchStatus.PROCESSING_PIPELINES:
        return batch, ()
    effects: list[Effect] = []
    settled = False
    while not settled:  # A skip can skip phases that the pipeline lists earlier, so go round again.
        settled = True
        for definition in batch.pipeline.phases:
            run = batch.phases[definition.name]
            if run.status is not PhaseStatus.PENDING_DEPENDENCIES:
                continue
            start, skip = _prospects(batch, definition)
            if start and batch.pause is None:
                batch, command = start_attempt(batch, event, definition)
                effects.append(command)
            elif skip:
                batch = with_run(batch, definition.name, _skipped(run))
                settled = False
    if not effects and all(batch.phases[name].status.terminal for name in batch.requested_phases):
        status = final_status(batch)
        reason = ReasonCode.PHASE_FAILED if status is BatchStatus.FAILED_CRITICALLY else None
        batch, completed = end(batch, event, status, reason)
        effects.append(completed)
    return batch, tuple(effects)


def _prospects(batch: Batch, definition: PhaseDefinition) -> tuple[bool, bool]:
    """Return whether a pending phase can start, and whether it never can."""
    if not definition.after:
        return True, False
    before = [batch.phases[name].status for name in dependencies(batch, definition.name)]
    succeeded = [status.succeeded for status in before]
    failed = [status.terminal and not status.succeeded for status in before]
    if definition.join == "any" and before:
        # After a retry it waits for the phases that run again, else it would start without the essays retried.
        waits = batch.phases[definition.name].reopened and not all(status.terminal for status in before)
        return any(succeeded) and not waits, all(failed)
    return all(succeeded), any(failed)


def _skipped(run: PhaseRun) -> PhaseRun:
    status = phase_status(run.status, PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE)
    return replace(run, status=status, reason=PhaseReason.DEPENDENCY_FAILED)


def start_attempt(batch: Batch, event: Event, definition: PhaseDefinition) -> tuple[Batch, CommandPhase]:
    """Start the next attempt of a phase: command its essays, and arm the deadlines of the attempt."""
    phase = definition.name
    run = batch.phases[phase]
    number = len(run.attempts) + 1
    essays = next_essays(batch, phase)
    attempt = Attempt(
        number=number, essays=None if len(essays) == len(batch.essays) else essays, commanded_ms=event.time_ms
    )
    command = CommandPhase(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "command_phase", phase, number),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=correlation_of(batch, phase, number),
        trace_id=batch.trace_id,
        context=batch.context,
        phase=phase,
        attempt=number,
        essays=newest_of(batch, phase, essays),
        generic=generic_command(batch.pipeline, definition, event.time_ms),
    )
    started = replace(
        run,
        status=phase_status(run.status, PhaseStatus.DISPATCH_INITIATED),
        attempts=(*run.attempts, attempt),
        selection=None,
        reason=None,
    )
    batch = arm(with_run(batch, phase, started), event, DeadlineKind.STALLED, definition.stalled_after_s, phase, number)
    return arm(batch, event, DeadlineKind.PHASE, definition.deadline_s, phase, number), command


def conclude_attempt(batch: Batch, event: Event, phase: str, attempt: Attempt) -> Batch:
    """Record how the running attempt of a phase ended, and decide what becomes of the phase. `advance` comes next.

    Every end of an attempt comes through here: by an outcome, or by a deadline. `attempt` holds what it lost.
    """
    run = conclude(batch, batch.phases[phase], replace(attempt, concluded_ms=event.time_ms))
    definition = definition_of(batch, phase)
    status, reason = _verdict(batch, run, definition)
    batch = disarm(batch, phase)
    if attempt.lost or status is PhaseStatus.FAILED:
        failed = with_run(batch, phase, replace(run, reason=reason))
        open_batch = retry_later(failed, event, definition)
        if open_batch is None and status is PhaseStatus.FAILED:
            open_batch = hold(failed, event, definition)
        if open_batch is not None:
            return open_batch
    return with_run(batch, phase, replace(run, reason=reason, status=phase_status(run.status, status)))


def _verdict(batch: Batch, run: PhaseRun, definition: PhaseDefinition) -> tuple[PhaseStatus, PhaseReason | None]:
    """Return the status of a phase after its attempts together, and why where it failed."""
    survived, lost = tally(batch, run)
    if not lost:
        return PhaseStatus.COMPLETED_SUCCESSFULLY, None
    if not survived:
        return PhaseStatus.FAILED, run.attempts[-1].reason or PhaseReason.NO_SURVIVORS
    if definition.on_partial_failure == "fail":
        return PhaseStatus.FAILED, PhaseReason.PARTIAL_FAILURE
    return PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS, None


def with_run(batch: Batch, phase: str, run: PhaseRun) -> Batch:
    """Return the batch with another run of a phase."""
    return replace(batch, phases={**batch.phases, phase: run})
