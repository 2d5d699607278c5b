"""The bulk operations of the browser tests: those that have ended; one that runs would be taken up."""

from typing import Any

from schemas.ids import derived_id
from schemas.internal.formats import OPERATION
from schemas.internal.operations import OperationAction, OperationRecord, OperationState, RefusedItem, Tally
from tests.browser.stories import NOW_MS, OPERATOR, BrowserStory

_MINUTE_MS = 60_000


def operations(stories: list[BrowserStory]) -> list[OperationRecord]:
    """Return a retry of many, a pause that was stopped, and a replay of dead letters."""
    ended = [story.batch_id for story in stories if story.life in ("completed", "partly")]
    return [
        _operation(
            "retry",
            minutes_ago=34,
            action=OperationAction.RETRY,
            filter="status=processing_pipelines&phase=nlp&phase_status=held",
            phase="nlp",
            essays="failed",
            reason="the model server runs again",
            state=OperationState.FINISHED,
            expected=214,
            tallies=(
                Tally("applied", "retry_started", 197),
                Tally("refused", "phase_succeeded", 12),
                Tally("refused", "batch_ended", 4),
                Tally("stale", "version_changed", 1),
            ),
            refused=tuple(RefusedItem(batch_id, "refused", "phase_succeeded") for batch_id in ended[:12]),
        ),
        _operation(
            "pause",
            minutes_ago=21,
            action=OperationAction.PAUSE,
            filter="course=ENG5&ended=no",
            reason="the language server is being upgraded",
            state=OperationState.STOPPED,
            stopped_by="ops.nilsson",
            expected=120,
            tallies=(Tally("applied", "batch_paused", 50), Tally("refused", "already_paused", 2)),
            refused=tuple(RefusedItem(batch_id, "refused", "already_paused") for batch_id in ended[:2]),
        ),
        _operation(
            "replay",
            minutes_ago=6,
            action=OperationAction.REPLAY_DEAD_LETTERS,
            filter="code=ORC-UNKNOWN-BATCH&topic=huleedu.els.batch_phase.outcome.v1",
            reason="the registrations came late",
            state=OperationState.FINISHED,
            expected=31,
            tallies=(Tally("applied", "replayed", 31),),
        ),
    ]


def _operation(name: str, *, minutes_ago: int, **facts: Any) -> OperationRecord:
    begun = NOW_MS - minutes_ago * _MINUTE_MS
    return OperationRecord(
        writer=OPERATION.version,
        least_reader=OPERATION.least_reader,
        operation_id=derived_id(f"browser operation {name}"),
        principal=OPERATOR,
        fingerprint="1:" + "ab" * 32,
        created_ms=begun,
        updated_ms=begun + 40_000,
        ended_ms=begun + 40_000,
        last_page=True,
        **facts,
    )
