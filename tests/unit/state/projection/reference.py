"""What lists and counts must be, from the snapshots themselves."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason, PhaseStatus
from schemas.internal.status import PhaseView, StatusRecord
from state.projection import Attention, BatchFilter, StatusCounts, Visibility

DAY_MS = 86_400_000
CLOCKS = (DeadlineKind.PHASE, DeadlineKind.NEVER_PROVISIONED, DeadlineKind.HOLD)


class Reference:
    """The batches that there are at a time, which of them have an open dead letter, and which a broken chain."""

    def __init__(
        self,
        batches: Iterable[StatusRecord],
        *,
        now_ms: int,
        letters: AbstractSet[str] = frozenset(),
        breaks: AbstractSet[str] = frozenset(),
    ) -> None:
        self._batches = sorted(batches, key=lambda batch: (batch.registered_ms, batch.batch_id), reverse=True)
        self._now_ms, self._letters, self._breaks = now_ms, letters, breaks

    def fitting(self, filters: BatchFilter, visibility: Visibility = Visibility()) -> list[StatusRecord]:  # noqa: B008
        """Return the batches that fit, the newest first."""
        return [batch for batch in self._batches if _visible(batch, visibility) and self._fits(batch, filters)]

    def counts(self, visibility: Visibility) -> StatusCounts:
        """Return what counting gives."""
        seen = self.fitting(BatchFilter(), visibility)
        phases: dict[str, Counter[str]] = {}
        for batch in seen:
            for name, view in batch.phases.items():
                phases.setdefault(name, Counter())[view.status.value] += 1
        reasons = Counter(reason.value for batch in seen if (reason := self.attention(batch)) is not None)
        return StatusCounts(
            batches=dict(Counter(batch.status.value for batch in seen)),
            phases={name: dict(found) for name, found in phases.items()},
            stalled=sum(batch.stalled for batch in seen),
            held=sum(batch.held for batch in seen),
            paused=sum(batch.pause is not None for batch in seen),
            attention=reasons.total(),
            reasons=dict(reasons),
        )

    def attention(self, batch: StatusRecord) -> Attention | None:
        """Return why a batch needs a person."""
        if batch.batch_id in self._breaks:
            return Attention.CHAIN_BREAK
        if batch.batch_id in self._letters:
            return Attention.DEAD_LETTER
        if batch.ended_ms is not None:
            failed = batch.status is BatchStatus.FAILED_CRITICALLY and batch.ended_ms + DAY_MS > self._now_ms
            return Attention.FAILED if failed else None
        if batch.held:
            return Attention.HELD
        if batch.stalled:
            return Attention.STALLED
        return Attention.DEADLINE_MISSED if any(map(_missed, batch.phases.values())) else None

    def _fits(self, batch: StatusRecord, filters: BatchFilter) -> bool:
        exact = (
            (filters.owner, batch.owner_subject),
            (filters.organisation, batch.context.org_id),
            (filters.user, batch.context.user_id),
            (filters.course, batch.context.course_code_given),
            (filters.pipeline, batch.pipeline),
            (filters.stalled, batch.stalled),
            (filters.held, batch.held),
            (filters.paused, batch.pause is not None),
            (filters.ended, batch.ended_ms is not None),
            (filters.attention, self.attention(batch) is not None),
        )
        ranges = (
            (filters.created_from_ms, filters.created_before_ms, batch.registered_ms),
            (filters.updated_from_ms, filters.updated_before_ms, batch.updated_ms),
        )
        return (
            all(wanted is None or wanted == value for wanted, value in exact)
            and all((low is None or value >= low) and (high is None or value < high) for low, high, value in ranges)
            and (not filters.status or batch.status in filters.status)
            and _fits_phase(batch, filters)
            and _fits_due(batch, filters.due_before_ms)
        )


def _visible(batch: StatusRecord, visibility: Visibility) -> bool:
    return visibility.owner_subject in (None, batch.owner_subject) and visibility.owner_organisation in (
        None,
        batch.owner_organisation,
    )


def _missed(view: PhaseView) -> bool:
    return view.reason is PhaseReason.DEADLINE_MISSED and view.status in (PhaseStatus.FAILED, PhaseStatus.HELD)


def _fits_phase(batch: StatusRecord, filters: BatchFilter) -> bool:
    if filters.phase is None and filters.phase_status is None:
        return True
    return any(
        filters.phase in (None, name) and filters.phase_status in (None, view.status)
        for name, view in batch.phases.items()
    )


def _fits_due(batch: StatusRecord, before_ms: int | None) -> bool:
    return before_ms is None or any(clock.kind in CLOCKS and clock.due_ms < before_ms for clock in batch.deadlines)
