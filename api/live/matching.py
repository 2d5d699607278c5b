"""Which streams a notice goes to: whether a batch fits a filter, and whether the caller may see it."""

from msgspec import Struct

from api.live.facts import BatchFacts, Notice
from state.projection import ANY_BATCH, EVERYTHING, BatchFilter, Visibility


class Interest(Struct, frozen=True):
    """What a stream is about: the batches of a filter that the caller may see, or one batch."""

    visibility: Visibility
    filters: BatchFilter = ANY_BATCH
    batch_id: str | None = None
    """The only batch; its visibility was checked when the stream was opened."""

    def wants(self, notice: Notice, before: BatchFacts | None) -> "Match | None":
        """Return how a notice fits, or None if it is of no interest.

        `before` are the facts of the version before, where they are still known. A batch that has left the filter is
        of interest too: a list that shows it must drop it. Where the version before is unknown, it may have fitted.
        """
        if self.batch_id is not None:
            return _FITS if notice.batch_id == self.batch_id else None
        facts = notice.facts or before
        if facts is None:  # a purged batch of an unknown owner
            return _LEFT if self.visibility == EVERYTHING else None
        if not (sees(self.visibility, facts) and fits_for_good(self.filters, facts)):
            return None
        if notice.facts is not None and fits_now(self.filters, notice.facts):
            return _FITS
        return _LEFT if before is None or fits_now(self.filters, before) else None


class Match(Struct, frozen=True):
    """How a notice fits."""

    left: bool


_FITS = Match(left=False)
_LEFT = Match(left=True)


def sees(visibility: Visibility, facts: BatchFacts) -> bool:
    """Whether a batch may be seen."""
    return visibility.owner_subject in (None, facts.owner_subject) and visibility.owner_organisation in (
        None,
        facts.owner_organisation,
    )


def fits_for_good(filters: BatchFilter, facts: BatchFacts) -> bool:
    """Whether a batch fits as far as the filter asks for what never changes."""
    return (
        filters.owner in (None, facts.owner_subject)
        and filters.organisation in (None, facts.context.org_id)
        and filters.user in (None, facts.context.user_id)
        and filters.course in (None, facts.context.course_code_given)
        and filters.pipeline in (None, facts.pipeline)
        and _within(facts.registered_ms, filters.created_from_ms, filters.created_before_ms)
    )


def fits_now(filters: BatchFilter, facts: BatchFacts) -> bool:
    """Whether a batch fits as far as the filter asks for what changes.

    `attention` and `due_before_ms` depend on more than the batch's record (open dead letters, the time), so that every
    batch may fit them.
    """
    return (
        (not filters.status or facts.status in filters.status)
        and _fits_phase(filters, facts)
        and filters.stalled in (None, facts.stalled)
        and filters.held in (None, facts.held)
        and filters.paused in (None, facts.pause is not None)
        and filters.ended in (None, facts.ended_ms is not None)
        and _within(facts.updated_ms, filters.updated_from_ms, filters.updated_before_ms)
    )


def _fits_phase(filters: BatchFilter, facts: BatchFacts) -> bool:
    if filters.phase is None and filters.phase_status is None:
        return True
    named = facts.phases if filters.phase is None else {filters.phase: facts.phases.get(filters.phase)}
    return any(phase is not None and filters.phase_status in (None, phase.status) for phase in named.values())


def _within(moment_ms: int, from_ms: int | None, before_ms: int | None) -> bool:
    return (from_ms is None or from_ms <= moment_ms) and (before_ms is None or moment_ms < before_ms)
