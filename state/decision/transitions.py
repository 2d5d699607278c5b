"""The transitions that exist. Everything that sets a status goes through here."""

from schemas.errors import ForbiddenTransition
from schemas.internal.enums import BatchStatus, PhaseStatus

B = BatchStatus
P = PhaseStatus

_ENDS = (B.COMPLETED_SUCCESSFULLY, B.COMPLETED_WITH_FAILURES, B.FAILED_CRITICALLY, B.CANCELLED)

BATCH_TRANSITIONS: dict[BatchStatus, frozenset[BatchStatus]] = {
    B.AWAITING_CONTENT_VALIDATION: frozenset(
        {B.AWAITING_STUDENT_VALIDATION, B.PROCESSING_PIPELINES, B.FAILED_CRITICALLY, B.CANCELLED}
    ),
    B.AWAITING_STUDENT_VALIDATION: frozenset({B.PROCESSING_PIPELINES, B.FAILED_CRITICALLY, B.CANCELLED}),
    B.PROCESSING_PIPELINES: frozenset(_ENDS),
    B.COMPLETED_SUCCESSFULLY: frozenset(),
    B.COMPLETED_WITH_FAILURES: frozenset(),
    B.FAILED_CRITICALLY: frozenset(),
    B.CANCELLED: frozenset(),
}

_ATTEMPT_ENDS = (
    P.COMPLETED_SUCCESSFULLY,
    P.COMPLETED_WITH_PARTIAL_SUCCESS,
    P.FAILED,
    P.CANCELLED,
    P.WAITING_TO_RETRY,
    P.HELD,
)

PHASE_TRANSITIONS: dict[PhaseStatus, frozenset[PhaseStatus]] = {
    # It fails where the batch does before it could start.
    P.PENDING_DEPENDENCIES: frozenset(
        {P.DISPATCH_INITIATED, P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE, P.CANCELLED, P.FAILED}
    ),
    P.DISPATCH_INITIATED: frozenset({*_ATTEMPT_ENDS, P.PENDING_DEPENDENCIES}),
    # Ended phases run again only by a retry before the batch has ended.
    P.COMPLETED_SUCCESSFULLY: frozenset({P.PENDING_DEPENDENCIES}),
    P.COMPLETED_WITH_PARTIAL_SUCCESS: frozenset({P.PENDING_DEPENDENCIES, P.DISPATCH_INITIATED}),
    P.FAILED: frozenset({P.PENDING_DEPENDENCIES, P.DISPATCH_INITIATED}),
    P.SKIPPED_DUE_TO_DEPENDENCY_FAILURE: frozenset({P.PENDING_DEPENDENCIES}),
    P.WAITING_TO_RETRY: frozenset({P.PENDING_DEPENDENCIES, P.DISPATCH_INITIATED, P.FAILED, P.CANCELLED}),
    P.HELD: frozenset({P.PENDING_DEPENDENCIES, P.DISPATCH_INITIATED, P.FAILED, P.CANCELLED}),
    P.SKIPPED_BY_USER_CONFIG: frozenset(),
    P.CANCELLED: frozenset(),
}


def batch_status(before: BatchStatus, after: BatchStatus) -> BatchStatus:
    """Return `after`. Raises `ForbiddenTransition` where the table has no such step."""
    if after not in BATCH_TRANSITIONS[before]:
        raise _forbidden(f"batch: {before} to {after}")
    return after


def phase_status(before: PhaseStatus, after: PhaseStatus) -> PhaseStatus:
    """Return `after`. Raises `ForbiddenTransition` where the table has no such step."""
    if after not in PHASE_TRANSITIONS[before]:
        raise _forbidden(f"phase: {before} to {after}")
    return after


def _forbidden(step: str) -> ForbiddenTransition:
    return ForbiddenTransition(step, next_step="Report it, with the dead letter: the rule that tried it is wrong.")
