"""Rules for holds: a phase that would fail waits for a person, who retries it or cancels the batch."""

from msgspec.structs import replace

from schemas.internal.enums import DeadlineKind, PhaseStatus
from schemas.internal.events import Event
from schemas.internal.pipeline import PhaseDefinition
from state.batch import Batch
from state.decision.clocks import arm
from state.decision.transitions import phase_status


def hold(batch: Batch, event: Event, definition: PhaseDefinition) -> Batch | None:
    """Return the batch with the phase held instead of failed, or None where its definition does not say so.

    Its dependants wait. The hold ends with a retry, with the batch, or by its deadline.
    """
    if definition.on_failure != "hold":
        return None
    phase = definition.name
    run = batch.phases[phase]
    held = replace(run, status=phase_status(run.status, PhaseStatus.HELD))
    batch = replace(batch, phases={**batch.phases, phase: held})
    return arm(batch, event, DeadlineKind.HOLD, definition.hold_s, phase, len(run.attempts))


def fail_held(batch: Batch, phase: str) -> Batch:
    """Return the batch with a held phase failed: nobody came in time. The caller advances the batch."""
    run = batch.phases[phase]
    failed = replace(run, status=phase_status(run.status, PhaseStatus.FAILED))
    return replace(batch, phases={**batch.phases, phase: failed})
