"""Batches of every kind, drawn from a seed: each filter fits some of them, and few are alike."""

from random import Random
from typing import Any

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason, PhaseStatus
from schemas.internal.status import Deadline, Pause, PhaseView, StatusRecord
from tests.unit.state.projection.log import T0, status

ENDS = (
    BatchStatus.COMPLETED_SUCCESSFULLY,
    BatchStatus.COMPLETED_WITH_FAILURES,
    BatchStatus.FAILED_CRITICALLY,
    BatchStatus.CANCELLED,
)
LIVE = (BatchStatus.AWAITING_CONTENT_VALIDATION, BatchStatus.PROCESSING_PIPELINES)
SPAN_MS = 3 * 86_400_000
"""Batches are registered within so long after `T0`."""


def varied(random: Random, number: int, version: int) -> StatusRecord:
    """Return a snapshot of the batch `number`; a later version of it can be anything else."""
    ended = random.random() < 0.5
    registered_ms = T0 + Random(number).randrange(SPAN_MS) // 7_200_000 * 7_200_000
    updated_ms = registered_ms + random.randrange(3_600_000)
    phases = {name: _phase(random, registered_ms) for name in random.sample(("spellcheck", "nlp", "cj"), 2)}
    given: dict[str, Any] = {
        "user_id": random.choice(("ann", "bo", None)),
        "org_id": random.choice(("school", None)),
        "course_code_given": random.choice(("ENG5", "SV1", "SV2")),
        "owner_subject": Random(number).choice(("ann", "bo", "anonymous")),
        "owner_organisation": Random(number + 1).choice(("", "school", "other")),
        "pipeline": random.choice(("default", "default", "other")),
        "registered_ms": registered_ms,
        "updated_ms": updated_ms,
        "phases": phases,
        "stalled": random.random() < 0.1,
        "held": random.random() < 0.1,
        "ended_ms": updated_ms if ended else None,
    }
    if not ended and random.random() < 0.2:
        given["pause"] = Pause(since_ms=updated_ms, by="ann")
    elif not ended and random.random() < 0.5:
        kinds = random.sample((DeadlineKind.STALLED, DeadlineKind.PHASE, DeadlineKind.HOLD), 2)
        given["deadlines"] = tuple(Deadline(updated_ms + 1 + n, kind) for n, kind in enumerate(kinds))
    return status(number, version, random.choice(ENDS if ended else LIVE), **given)


def _phase(random: Random, at_ms: int) -> PhaseView:
    name = random.choice(list(PhaseStatus))
    reason = random.choice((PhaseReason.DEADLINE_MISSED, PhaseReason.PEER_FAILED, None))
    failed = random.randrange(3)
    return PhaseView(
        status=name,
        attempt=1,
        commanded=10,
        succeeded=10 - failed if name.terminal else 0,
        failed=failed,
        started_ms=at_ms + random.randrange(1_000) if name.terminal or name is PhaseStatus.DISPATCH_INITIATED else None,
        completed_ms=at_ms + 1_000 + random.randrange(100_000) if name.terminal else None,
        reason=reason,
    )
