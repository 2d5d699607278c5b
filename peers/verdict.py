"""What must come of a batch, reckoned from the peers' own answers alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from peers.batch import Batch


@dataclass(frozen=True, slots=True)
class ExpectedPhase:
    """One commanded phase. Essays in neither list of its outcome count as failed."""

    succeeded: int
    failed_essay_ids: tuple[str, ...]
    unaccounted_essay_ids: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Essays that did not come through, whatever the reason."""
        return len(self.failed_essay_ids) + len(self.unaccounted_essay_ids)


@dataclass(frozen=True, slots=True)
class ExpectedBatch:
    """The terminal result that the peers believe a batch must have, as far as they were commanded."""

    batch_id: str
    registered: int
    """Slots."""
    ready: int
    """Number of slots that have content."""
    phases: dict[str, ExpectedPhase]
    """Commanded phases in the order of their first commands."""
    final_status: str | None
    """None while nothing is decided: no phase commanded though essays are ready, or an answer is still to come."""
    successful_essay_count: int
    failed_essay_count: int
    """Every slot that did not come through all commanded phases, empty ones included."""
    completed_phases: tuple[str, ...]
    """Phases that at least one essay came through."""
    completed: bool
    """Whether the completed event was seen."""


def expected_batch(batch: Batch, now: float) -> ExpectedBatch:
    """Reckon the result of `batch` as of the wall clock time `now`."""
    phases = {
        phase: ExpectedPhase(
            succeeded=len(batch.in_phase(phase, "succeeded")),
            failed_essay_ids=tuple(batch.in_phase(phase, "failed")),
            unaccounted_essay_ids=tuple(batch.in_phase(phase, "unaccounted")),
        )
        for phase in batch.runs
    }
    ready, survivors = len(batch.with_content()), len(batch.survivors())
    undecided = open_answers(batch, now) or (ready > 0 and not phases)
    return ExpectedBatch(
        batch_id=batch.batch_id,
        registered=len(batch.essays),
        ready=ready,
        phases=phases,
        final_status=None if undecided else final_status(len(batch.essays), survivors, phases.values()),
        successful_essay_count=survivors,
        failed_essay_count=len(batch.essays) - survivors,
        completed_phases=tuple(phase for phase, result in phases.items() if result.succeeded),
        completed=batch.ended_as is not None,
    )


def open_answers(batch: Batch, now: float) -> bool:
    """Whether the peers still owe an event that the batch's result depends on."""
    owed = [batch.provisioned_at, *(run.answer_at for run in batch.runs.values())]
    return any(at is None or at > now for at in owed)


def final_status(registered: int, survivors: int, phases: Iterable[ExpectedPhase]) -> str:
    """A batch none of whose phases brought an essay through has failed; any essay lost on the way shows."""
    if not any(phase.succeeded for phase in phases):
        return "failed_critically"
    return "completed_successfully" if survivors == registered else "completed_with_failures"
