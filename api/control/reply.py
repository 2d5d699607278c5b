"""The HTTP bodies of a request that was decided, and of a preview."""

from typing import Any

import msgspec

from api.control.preview import Preview
from api.control.refusals import refusal
from api.control.service import Controlled
from api.paths import batch_path, status_path
from api.routes.status_response import status_body
from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import Disposition
from state.sentences import sentence


def control_body(done: Controlled) -> dict[str, Any]:
    """Return the body of a decided request."""
    answer = done.answer
    return {
        "batch_id": answer.batch_id,
        "request_id": done.request_id,
        "version": answer.version,
        "disposition": done.first.disposition.value,
        "reason": done.first.reason.value,
        "repeated": done.first.repeated,
        "status": answer.status.value,
        "batch": None if done.batch is None else status_body(done.batch),
        "links": _links(answer.batch_id),
    }


def preview_body(found: Preview) -> dict[str, Any]:
    """Return the body of a preview; `detail` and `next_step` are null where the request would be applied."""
    told = None if found.disposition is Disposition.APPLIED else refusal(found.reason)
    return {
        "dry_run": True,
        "batch_id": found.before.batch_id,
        "version": found.before.version,
        "disposition": found.disposition.value,
        "reason": found.reason.value,
        "sentence": sentence(found.history),
        "detail": None if told is None else told.detail,
        "next_step": None if told is None else told.next_step,
        "status": found.after.status.value,
        "changes": [msgspec.to_builtins(change) for change in found.history.changes],
        "effects": [_effect(effect) for effect in found.effects],
        "commands": found.commands,
        "essays": found.essays,
        "links": _links(found.before.batch_id),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    essays = 0
    if isinstance(effect, CommandPhase | CommandStudentMatching):
        essays = len(effect.essays)
    elif isinstance(effect, BatchRegistered):
        essays = len(effect.essay_ids)
    phase, attempt = (effect.phase, effect.attempt) if isinstance(effect, CommandPhase) else ("", 0)
    return {"kind": str(effect.__struct_config__.tag), "phase": phase, "attempt": attempt, "essays": essays}


def _links(batch_id: str) -> dict[str, str]:
    return {"status": status_path(batch_id), "history": batch_path(batch_id, "history")}
