"""The schemas of bodies about dead letters."""

from api.openapi.schemas import COUNT, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, Schema, record, ref
from schemas.internal.dead_letters import STATES
from schemas.internal.enums import Disposition
from schemas.public.dead_letters import LetterSelection, WorkLetter, WorkLetters

_OBJECT_OR_NULL: Schema = {"type": ["object", "null"]}
_STATE: Schema = {"enum": list(STATES)}
_HANDLED: dict[str, Schema] = {"state": TEXT, "at": TIME, "by": TEXT, "note": TEXT_OR_NULL}
_SUMMARY: dict[str, Schema] = {
    "dead_letter_id": TEXT,
    "state": _STATE,
    "code": {"type": "string", "description": "Why it became a dead letter; see docs/errors."},
    "reason": TEXT,
    "time": TIME,
    "batch_id": {"type": ["string", "null"], "description": "The batch that it is about, where that can be read."},
    "request_id": TEXT_OR_NULL,
    "first": record({"topic": TEXT, "partition": COUNT, "offset": COUNT, "time": TIME_OR_NULL}),
    "wrapped": {"type": "boolean", "description": "The value is an inbox record, not a peer's."},
    "handled": {"anyOf": [record(_HANDLED), {"type": "null"}]},
}
_BYTES: Schema = {
    "anyOf": [
        record({"form": {"enum": ["json", "text", "hex"]}, "size": COUNT, "content": {}}),
        {"type": "null"},
    ]
}
_REFUSED: Schema = {"type": "array", "items": record({"dead_letter_id": TEXT, "code": TEXT, "detail": TEXT})}
_PREVIEW: dict[str, Schema] = {
    "dead_letter_id": TEXT,
    "becomes": {"enum": ["inbox_record", "dead_letter"]},
    "batch_id": TEXT_OR_NULL,
    "event": TEXT_OR_NULL,
    "disposition": {"enum": [*(disposition.value for disposition in Disposition), None]},
    "reason": _OBJECT_OR_NULL,
    "sentence": TEXT_OR_NULL,
    "effects": {"type": "array", "items": {"type": "object"}},
    "commands": COUNT,
    "status": record({"before": TEXT_OR_NULL, "after": TEXT_OR_NULL}),
    "fault": _OBJECT_OR_NULL,
}
_GROUP = {"code": TEXT, "topic": TEXT, "count": COUNT, "first_at": TIME, "last_at": TIME}
_IN_SHORT = {
    "dead_letter_id": TEXT,
    "batch_id": TEXT_OR_NULL,
    "outcome": TEXT,
    "sentence": TEXT_OR_NULL,
    "commands": COUNT,
}


def letter_schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    letters = {model.__name__: _model(model) for model in (WorkLetter, WorkLetters, LetterSelection)}
    return letters | {
        "DeadLetterSummary": record(_SUMMARY),
        "DeadLetters": record(
            {"dead_letters": {"type": "array", "items": ref("DeadLetterSummary")}, "next": TEXT_OR_NULL}
        ),
        "DeadLetterGroups": record({"groups": {"type": "array", "items": record(_GROUP)}}),
        "DeadLetter": record(
            _SUMMARY | {"traceback": TEXT_OR_NULL, "first_key": _BYTES, "value": _BYTES, "headers": {"type": "object"}}
        ),
        "HandledDeadLetter": record({"dead_letter_id": TEXT, **_HANDLED}),
        "DeadLetterPreview": record(_PREVIEW),
        "DeadLetterGroupPreview": record(
            {
                "matched": COUNT,
                "outcomes": {"type": "object", "additionalProperties": COUNT},
                "commands": COUNT,
                "refused": _REFUSED,
                "not_previewed": COUNT,
                "sentence": TEXT,
                "previews": {"type": "array", "items": record(_IN_SHORT)},
            }
        ),
        "WorkedDeadLetters": {
            "anyOf": [
                record({"matched": COUNT, "done": COUNT, "state": TEXT, "refused": _REFUSED, "left": COUNT}),
                record({"matched": COUNT, "selected": COUNT}, description="The answer with `dry_run`."),
            ]
        },
    }


def _model(model: type[WorkLetter | LetterSelection]) -> Schema:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema
