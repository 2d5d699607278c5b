"""The HTTP bodies of explanations (docs/http.md, explaining a batch)."""

from typing import Any

import msgspec

from api.explain.service import ExplainedDecision, NextDecision
from api.paths import decision_path
from api.routes.decision_response import decision_body
from api.routes.status_response import timestamp
from state.differences import FieldChange
from state.sentences import sentence
from state.what_if import Command, DifferentDecision, Told, WhatIf


def diff_body(batch_id: str, before: int, after: int, changes: tuple[FieldChange, ...]) -> dict[str, Any]:
    """Return the body of the differences of two states."""
    return {"batch_id": batch_id, "from": before, "to": after, "changes": msgspec.to_builtins(changes)}


def explained_body(found: ExplainedDecision) -> dict[str, Any]:
    """Return the body of one decision with everything that it changed."""
    batch_id = found.history.batch_id
    places = {"previous": found.previous, "next": found.next}
    return decision_body(found.history) | {
        "batch_id": batch_id,
        "body": found.event,
        "status": {
            "before": None if found.before is None else found.before.status.value,
            "after": None if found.after is None else found.after.status.value,
        },
        "diff": msgspec.to_builtins(found.changes),
        "differences": msgspec.to_builtins(found.differences),
        **places,
        "links": {name: decision_path(batch_id, place) for name, place in places.items() if place is not None},
    }


def next_body(found: NextDecision) -> dict[str, Any]:
    """Return the body of a decision on an event that has not happened."""
    history = found.history
    commands = [each for each in history.effects if each.kind.startswith("command_")]
    return {
        "batch_id": found.before.batch_id,
        "version": found.before.version,
        "event": found.event,
        "time": timestamp(found.time_ms),
        "disposition": history.disposition.value,
        "reason": msgspec.to_builtins(history.reason),
        "sentence": sentence(history),
        "status": {"before": found.before.status.value, "after": found.after.status.value},
        "diff": msgspec.to_builtins(found.changes),
        "commands": [
            {"phase": each.phase or None, "attempt": each.attempt, "essays": each.essays} for each in commands
        ],
    }


def what_if_body(found: WhatIf) -> dict[str, Any]:
    """Return the body of a comparison with another definition."""
    return {
        "batch_id": found.batch_id,
        "sentence": found.sentence,
        "pipeline": {"name": found.pipeline, "version": found.pipeline_version},
        "requested_phases": list(found.requested_phases),
        "records": found.records,
        "same_until": found.same_until,
        "decisions": [_different(found.batch_id, each) for each in found.decisions],
        "new_commands": [_command(each) for each in found.new_commands],
        "dropped_commands": [_command(each) for each in found.dropped_commands],
        "status": {"recorded": found.status_recorded, "instead": found.status_instead},
        "open": found.open,
    }


def _different(batch_id: str, each: DifferentDecision) -> dict[str, Any]:
    return {
        "position": each.position,
        "time": timestamp(each.time_ms),
        "event": each.event,
        "inferred": each.position is None,
        "recorded": None if each.recorded is None else _told(each.recorded),
        "instead": _told(each.instead),
        "links": {} if each.position is None else {"decision": decision_path(batch_id, each.position)},
    }


def _told(told: Told) -> dict[str, Any]:
    return {
        "disposition": told.disposition.value,
        "reason": msgspec.to_builtins(told.reason),
        "sentence": told.sentence,
        "status": told.status,
        "changes": [{"phase": each.phase or None, "from": each.before, "to": each.after} for each in told.changes],
        "commands": [_command(each) for each in told.commands],
    }


def _command(command: Command) -> dict[str, Any]:
    return {
        "phase": command.phase or None,
        "attempt": command.attempt,
        "essays": command.essays,
        "answered": command.answered,
    }
