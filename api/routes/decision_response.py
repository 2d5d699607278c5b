"""The HTTP bodies of a batch's history and of its replay (docs/http.md, history)."""

from typing import Any

import msgspec

from api.paths import decision_path
from api.routes.status_response import timestamp
from schemas.internal.events import Origin
from schemas.internal.history import HistoryRecord
from state.projection import HistoryPage
from state.replay import Replay, position_of
from state.sentences import sentence


def history_body(batch_id: str, page: HistoryPage) -> dict[str, Any]:
    """Return the body of a page of history."""
    return {
        "batch_id": batch_id,
        "decisions": [decision_body(record) for record in page.records],
        "next": page.next_cursor,
    }


def control_requests_body(page: HistoryPage) -> dict[str, Any]:
    """Return the body of a page of requests to control batches."""
    return {
        "requests": [{"batch_id": record.batch_id} | decision_body(record) for record in page.records],
        "next": page.next_cursor,
    }


def replay_body(batch_id: str, result: Replay) -> dict[str, Any]:
    """Return the body of a replay."""
    return {
        "batch_id": batch_id,
        "version": None if result.batch is None else result.batch.version,
        "identical": result.identical,
        "whole": result.whole,
        "decisions": [
            decision_body(each.published)
            | {
                "decided": each.decided,
                "based_on_expected": each.chain_expected,
                "differences": msgspec.to_builtins(each.differences),
            }
            for each in result.decisions
        ],
        "status_differences": msgspec.to_builtins(result.status),
    }


def decision_body(record: HistoryRecord) -> dict[str, Any]:
    """Return one decision; its values can be encoded as JSON."""
    position = position_of(record)
    return {
        "position": position,
        "partition": record.partition,
        "offset": record.offset,
        "time": timestamp(record.time_ms),
        "event": record.kind,
        "disposition": record.disposition.value,
        "reason": msgspec.to_builtins(record.reason),
        "sentence": sentence(record),
        "version": record.version,
        "based_on": record.based_on,
        "changes": [
            {"phase": change.phase or None, "from": change.before, "to": change.after} for change in record.changes
        ],
        "succeeded": record.succeeded,
        "failed": record.failed,
        "failed_essays": msgspec.to_builtins(record.failed_essays),
        "effects": msgspec.to_builtins(record.effects),
        "cause": _cause(record.origin),
        "origin": None if record.origin is None else msgspec.to_builtins(record.origin),
        "actor": None if record.actor is None else msgspec.to_builtins(record.actor),
        "request_id": record.request_id,
        "dead_letter_id": record.dead_letter_id,
        "links": {"decision": decision_path(record.batch_id, position)},
    }


def _cause(origin: Origin | None) -> dict[str, Any] | None:
    """Return where the event lies in Kafka; a deadline has the place of the status record that armed it."""
    if origin is None:
        return None
    return {
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "event_id": origin.event_id,
        "produced_at": timestamp(origin.produced_ms or None),
    }
