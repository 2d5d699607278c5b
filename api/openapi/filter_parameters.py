"""The query parameters of a filter of batches, for every route that takes one."""

from typing import Any

from api.queries.filters import FLAGS, LONGEST_VALUE, TIMES
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.text import NO_CONTROL_CHARACTERS

_TEXTS = {
    "phase": "Batches that have this phase.",
    "owner": "Subject of who registered the batch.",
    "organisation": "The batch's own, org_id of its registration.",
    "user": "The batch's own, user_id of its registration.",
    "course": "The course code as the client gave it.",
    "pipeline": "Name of the pipeline definition.",
}
_TIME = r"^([1-9][0-9]{0,3}[smhdw]|20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z)$"
_FLAGS = {
    "stalled": "A phase takes longer than usual.",
    "held": "A phase waits for a person.",
    "paused": "The batch is paused.",
    "ended": "The batch has ended.",
    "attention": "The batch needs a person.",
}


def filter_parameters() -> list[dict[str, Any]]:
    """Return the parameters, each of which may be left out; all that are given must fit."""
    statuses = {"type": "array", "items": {"type": "string", "enum": [word.value for word in BatchStatus]}}
    phase_status = {"type": "string", "enum": [word.value for word in PhaseStatus]}
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE, "pattern": NO_CONTROL_CHARACTERS}
    flag = {"type": "string", "enum": ["yes", "no"]}
    time = {"type": "string", "pattern": _TIME}
    return [
        _parameter("status", "Any of these.", statuses, [BatchStatus.PROCESSING_PIPELINES.value]),
        _parameter("phase_status", "Status of the phase, or of any.", phase_status, PhaseStatus.FAILED.value),
        *(_parameter(name, about, text, "nlp" if name == "phase" else "ENG5") for name, about in _TEXTS.items()),
        *(_parameter(name, _FLAGS[name], flag, "yes") for name in FLAGS),
        *(_parameter(name, f"{_words(name)}; RFC 3339, or how long ago.", time, "24h") for name in TIMES),
    ]


def _words(name: str) -> str:
    what, _, side = name.partition("_")
    return f"{what.capitalize()} at this time or later" if side == "from" else f"{what.capitalize()} before this time"


def _parameter(name: str, description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }
