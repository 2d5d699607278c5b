"""Examples of operation records."""

from schemas.internal.events import Principal
from schemas.internal.formats import OPERATION
from schemas.internal.operations import (
    OperationAction,
    OperationRecord,
    OperationState,
    RefusedItem,
    Tally,
)
from tests.golden.facts import BATCH, EVENT, TIME, versions


def operations() -> dict[str, OperationRecord]:
    """Operation records: of a filter, at work; of named batches, stopped; of dead letters, finished."""
    asked = {
        **versions(OPERATION),
        "operation_id": EVENT,
        "principal": Principal(subject="teacher-001", organisation="org-42", scopes=("batches:write",)),
        "reason": "CJ is mended",
        "fingerprint": "1:" + "ab" * 32,
        "created_ms": TIME,
        "updated_ms": TIME + 5_000,
    }
    return {
        "operation-running": OperationRecord(
            **asked,
            action=OperationAction.RETRY,
            filter="status=failed_critically&course=ENG5",
            phase="cj_assessment",
            essays="failed",
            state=OperationState.RUNNING,
            epoch=2,
            runner="worker-1",
            expected=10_000,
            expected_more=True,
            cursor="abc",
            page=(BATCH, "batch/2"),
            tallies=(Tally("applied", "retry_started", 48), Tally("refused", "phase_succeeded", 2)),
            refused=(RefusedItem("batch-3", "refused", "phase_succeeded"),),
            waiting_for="Kafka has not acknowledged the request",
        ),
        "operation-stopped": OperationRecord(
            **asked,
            action=OperationAction.CANCEL,
            ids=(BATCH,),
            state=OperationState.STOPPED,
            expected=1,
            ended_ms=TIME + 9_000,
            stopped_by="teacher-002",
        ),
        "operation-finished": OperationRecord(
            **asked,
            action=OperationAction.REPLAY_DEAD_LETTERS,
            filter="code=ORC-UNKNOWN-BATCH",
            state=OperationState.FINISHED,
            expected=1,
            last_page=True,
            tallies=(Tally("applied", "replayed", 1),),
            ended_ms=TIME + 9_000,
        ),
    }


def stops() -> dict[str, OperationRecord]:
    """The wish to stop an operation."""
    return {"operation-stop": operations()["operation-stopped"]}
