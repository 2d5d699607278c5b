"""The tone of each phase status: one of the seven colours of the dashboard, always with a shape and a word."""

from typing import Literal

from schemas.internal.enums import PhaseStatus
from schemas.internal.status import PhaseView

Tone = Literal["running", "done", "partial", "failed", "stalled", "paused", "idle"]

_TONES: dict[PhaseStatus, Tone] = {
    PhaseStatus.PENDING_DEPENDENCIES: "idle",
    PhaseStatus.DISPATCH_INITIATED: "running",
    PhaseStatus.COMPLETED_SUCCESSFULLY: "done",
    PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS: "partial",
    PhaseStatus.FAILED: "failed",
    PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE: "idle",
    PhaseStatus.SKIPPED_BY_USER_CONFIG: "idle",
    PhaseStatus.CANCELLED: "idle",
    PhaseStatus.WAITING_TO_RETRY: "paused",
    PhaseStatus.HELD: "stalled",
}

_WORDS: dict[PhaseStatus, str] = {
    PhaseStatus.PENDING_DEPENDENCIES: "waiting",
    PhaseStatus.DISPATCH_INITIATED: "running",
    PhaseStatus.COMPLETED_SUCCESSFULLY: "completed",
    PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS: "partly completed",
    PhaseStatus.FAILED: "failed",
    PhaseStatus.SKIPPED_DUE_TO_DEPENDENCY_FAILURE: "skipped: a phase before it failed",
    PhaseStatus.SKIPPED_BY_USER_CONFIG: "skipped: not asked for",
    PhaseStatus.CANCELLED: "cancelled",
    PhaseStatus.WAITING_TO_RETRY: "backing off",
    PhaseStatus.HELD: "held",
}


def phase_tone(phase: PhaseView) -> Tone:
    """Return the tone of a phase; a stalled one is running, but late. An unknown status looks stalled."""
    return "stalled" if phase.stalled else status_tone(phase.status)


def status_tone(status: PhaseStatus) -> Tone:
    """Return the tone of a phase status; of one that this version does not know, `stalled`."""
    return _TONES.get(status, "stalled")


def phase_word(phase: PhaseView) -> str:
    """Return the word beside the shape."""
    if phase.stalled:
        return "stalled"
    return _WORDS.get(phase.status, phase.status.value.replace("_", " "))
