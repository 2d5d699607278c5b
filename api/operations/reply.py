"""The HTTP bodies of operations (docs/operations.md)."""

from typing import Any

import msgspec

from api.operations.dry_run import DryRun
from api.routes.status_response import timestamp
from schemas.internal.enums import Disposition
from schemas.internal.operations import OperationRecord


def operation_body(record: OperationRecord, stop: OperationRecord | None) -> dict[str, Any]:
    """Return the body of an operation; `stop` is the wish that it ends."""
    path = f"/v1/operations/{record.operation_id}"
    applied = sum(tally.count for tally in record.tallies if tally.disposition == Disposition.APPLIED)
    return {
        "operation_id": record.operation_id,
        "action": record.action.value,
        "state": record.state.value,
        "stopping": stop is not None and not record.state.ended,
        "reason": record.reason,
        "by": {"subject": record.principal.subject, "organisation": record.principal.organisation},
        "filter": record.filter or None,
        "ids": len(record.ids) or None,
        "phase": record.phase or None,
        "essays": record.essays or None,
        "created_at": timestamp(record.created_ms),
        "updated_at": timestamp(record.updated_ms),
        "ended_at": None if record.ended_ms is None else timestamp(record.ended_ms),
        "expected": record.expected,
        "expected_more": record.expected_more,
        "done": record.done,
        "applied": applied,
        "not_applied": record.done - applied,
        "results": msgspec.to_builtins(record.tallies),
        "refused": msgspec.to_builtins(record.refused),
        "waiting_for": record.waiting_for or None,
        "stopped_by": record.stopped_by or None,
        "failure": {"code": record.failure_code, "detail": record.failure} if record.failure_code else None,
        "links": {"self": path, "stop": f"{path}/stop"},
    }


def dry_run_body(found: DryRun) -> dict[str, Any]:
    """Return the body of a dry run."""
    return {
        "dry_run": True,
        "action": found.action.value,
        "fits": found.fits,
        "fits_more": found.more,
        "sampled": found.sampled,
        "sentence": found.sentence,
        "results": msgspec.to_builtins(found.tallies),
        "refused": msgspec.to_builtins(found.refused),
    }
