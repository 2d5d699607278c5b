"""Rules for phases: which phase starts, which is skipped, when the batch ends, and the deadlines of each."""

from msgspec.structs import replace

from schemas import ids
from schemas.internal.effects import CommandPhase, Effect, PipelineCompleted
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import Event
from schemas.internal.history import Reason
from schemas.internal.pipeline import PhaseDefinition
from schemas.internal.status import Deadline, FailedEssay
from state.batch import Batch, PhaseRun
from state.decision.essays import dependencies, essays_to_command, lost_essay_ids
from state.decision.result import Decision
from state.decision.transitions import batch_status, phase_status
from state.pipelines.commands import generic_command


def advance(batch: Batch, event: Event) -> tuple[Batch, tuple[Effect, ...]]:
    """Start the phases whose dependencies succeeded, skip those with a failed one, and end the batch after the last."""
    effects: list[Effect] = []
    settled = False
    while not settled:  # A skip can skip phases that the pipeline lists earlier, so go round again.
        settled = True
        for definition in batch.pipeline.phases:
            run = batch.phases[definition.name]
            if run.status is not PhaseStatus.PENDING_DEPENDENCIES:
                continue
            before = [batch.phases[name].status for name in dependencies(batch, definition.name)]
            if all(status.succeeded for status in before):
                batch, command = _start_phase(batch, event, definition)
                effects.append(command)
            elif any(status.terminal and not status.succeeded for status in before):
                batch = _with_phase(batch, definition.name, skipped(run))
                settled = False
    if all(batch.phases[name].status.terminal for name in batch.requested_phases):
        status = _final_status(batch)
        reason = ReasonCode.PHASE_FAILED if status is BatchStatus.FAILED_CRITICALLY else None
        batch, completed = end(batch, event, status, reason=reason)
        effects.append(completed)
    return batch, tuple(effects)


def skipped(run: PhaseRun) -> PhaseRun:
    """Return the run of a phase that is skipped because a dependency failed."""
    return replace(
        run,
        status=phase_status(run.status, PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE),
        reason=PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE.value,
    )


def _start_phase(batch: Batch, event: Event, definition: PhaseDefinition) -> tuple[Batch, CommandPhase]:
    phase = definition.name
    run = batch.phases[phase]
    attempt = run.attempt + 1
    essays = essays_to_command(batch, phase)
    run = replace(
        run,
        status=phase_status(run.status, PhaseStatus.DISPATCH_INITIATED),
        attempt=attempt,
        commanded=len(essays),
        started_ms=event.time_ms,
        completed_ms=None,
        reason=None,
    )
    armed = (
        Deadline(event.time_ms + definition.stalled_after_s * 1000, DeadlineKind.STALLED, phase, attempt),
        Deadline(event.time_ms + definition.deadline_s * 1000, DeadlineKind.PHASE, phase, attempt),
    )
    batch = replace(_with_phase(batch, phase, run), deadlines=arm(batch.deadlines, *armed))
    command = CommandPhase(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "command_phase", phase, attempt),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=attempt_correlation(batch, phase, attempt),
        trace_id=batch.trace_id,
        context=batch.context,
        phase=phase,
        attempt=attempt,
        essays=essays,
        generic=generic_command(batch.pipeline, definition, event.time_ms),
    )
    return batch, command


def attempt_correlation(batch: Batch, phase: str, attempt: int) -> str:
    """Return the correlation id in an attempt's command: the client's for the first attempt, else a derived one."""
    if attempt == 1:
        return batch.correlation_id
    return ids.attempt_correlation_id(batch.batch_id, batch.registered_version, phase, attempt)


def end(batch: Batch, event: Event, status: BatchStatus, reason: ReasonCode | None = None) -> tuple[Batch, Effect]:
    """End the batch: skip pending phases, shrink the record to a stub, and publish the completion."""
    phases = {
        name: replace(skipped(run) if run.status is PhaseStatus.PENDING_DEPENDENCIES else run, survivors=())
        for name, run in batch.phases.items()
    }
    purge = Deadline(event.time_ms + batch.pipeline.purge_after_s * 1000, DeadlineKind.PURGE)
    batch = replace(
        batch,
        status=batch_status(batch.status, status),
        reason=reason,
        phases=phases,
        slots=(),
        essays=(),
        deadlines=(purge,),
        stalled=False,
        ended_ms=event.time_ms,
    )
    succeeded = batch.ready_count - len(lost_essay_ids(batch))
    completed = PipelineCompleted(
        event_id=ids.effect_id(batch.batch_id, batch.registered_version, "pipeline_completed"),
        batch_id=batch.batch_id,
        time_ms=event.time_ms,
        correlation_id=batch.correlation_id,
        trace_id=batch.trace_id,
        context=batch.context,
        final_status=status,
        completed_phases=tuple(name for name in batch.requested_phases if batch.phases[name].status.succeeded),
        started_ms=batch.registered_ms,
        succeeded=succeeded,
        failed=batch.expected - succeeded,
    )
    return batch, completed


def fail_oversized(batch: Batch, event: Event, what: str, size: int, limit: int) -> Decision:
    """Return the decision in place of one whose result is too large: the batch and its running phases fail.

    `what` names the record that is too large; `size` and `limit` are bytes.
    """
    phases = {
        name: _fail_running(batch, event, name) if run.status is PhaseStatus.DISPATCH_INITIATED else run
        for name, run in batch.phases.items()
    }
    batch, completed = end(
        replace(batch, phases=phases), event, BatchStatus.FAILED_CRITICALLY, reason=ReasonCode.OVERSIZED
    )
    reason = Reason(code=ReasonCode.OVERSIZED, detail=f"{what} has {size} bytes; the limit is {limit}")
    batch = replace(batch, version=event.version, updated_ms=event.time_ms)
    return Decision(batch, (completed,), Disposition.APPLIED, reason)


def _fail_running(batch: Batch, event: Event, phase: str) -> PhaseRun:
    run = batch.phases[phase]
    return replace(
        run,
        status=phase_status(run.status, PhaseStatus.FAILED),
        failed=tuple(FailedEssay(ref.essay_id, phase, "no_outcome") for ref in essays_to_command(batch, phase)),
        completed_ms=event.time_ms,
        reason=ReasonCode.OVERSIZED,
    )


def arm(deadlines: tuple[Deadline, ...], *more: Deadline) -> tuple[Deadline, ...]:
    """Return the armed deadlines with `more`, the earliest first."""
    return tuple(sorted((*deadlines, *more), key=lambda deadline: (deadline.due_ms, deadline.kind, deadline.phase)))


def disarm(deadlines: tuple[Deadline, ...], *, phase: str = "") -> tuple[Deadline, ...]:
    """Return the armed deadlines without those of `phase`; with no phase given, without those of the whole batch."""
    return tuple(deadline for deadline in deadlines if deadline.phase != phase)


def _final_status(batch: Batch) -> BatchStatus:
    statuses = [batch.phases[name].status for name in batch.requested_phases]
    if not any(status.succeeded for status in statuses):
        return BatchStatus.FAILED_CRITICALLY
    complete = batch.ready_count == batch.expected
    if complete and all(status is PhaseStatus.COMPLETED_SUCCESSFULLY for status in statuses):
        return BatchStatus.COMPLETED_SUCCESSFULLY
    return BatchStatus.COMPLETED_WITH_FAILURES


def _with_phase(batch: Batch, phase: str, run: PhaseRun) -> Batch:
    return replace(batch, phases={**batch.phases, phase: run})
