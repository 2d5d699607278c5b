"""The HTTP bodies about dead letters (docs/dead-letters.md)."""

import json
from collections import Counter
from typing import Any

import msgspec

from api.letters.previews import Preview
from api.letters.service import GroupPreview, Refused, Worked
from api.routes.status_response import timestamp
from schemas.internal.dead_letters import Handled
from state.projection import LetterGroup, LetterPage, StoredLetter

_UNKNOWN = "unknown_state"
"""Outcome of a preview that cannot tell, because the batch's state is not known."""


def list_body(page: LetterPage) -> dict[str, Any]:
    """Return the body of a page of dead letters."""
    return {"dead_letters": [_summary(stored) for stored in page.letters], "next": page.next_cursor}


def groups_body(groups: tuple[LetterGroup, ...]) -> dict[str, Any]:
    """Return the body of dead letters by code and topic."""
    return {
        "groups": [
            {
                "code": group.code,
                "topic": group.topic,
                "count": group.count,
                "first_at": timestamp(group.first_ms),
                "last_at": timestamp(group.last_ms),
            }
            for group in groups
        ]
    }


def letter_body(stored: StoredLetter) -> dict[str, Any]:
    """Return the body of one dead letter."""
    letter = stored.letter
    return _summary(stored) | {
        "traceback": letter.traceback or None,
        "first_key": _bytes(letter.key),
        "value": _bytes(letter.value),
        "headers": {name: value.decode(errors="replace") for name, value in stored.headers},
    }


def handled_body(dead_letter_id: str, handled: Handled) -> dict[str, Any]:
    """Return the body of what was done with a dead letter."""
    return {"dead_letter_id": dead_letter_id, **_handled(handled)}


def preview_body(preview: Preview) -> dict[str, Any]:
    """Return the body of a preview."""
    body: dict[str, Any] = msgspec.to_builtins(preview)
    body["status"] = {"before": body.pop("status_before"), "after": body.pop("status_after")}
    return body | {"commands": preview.commands}


def group_preview_body(group: GroupPreview) -> dict[str, Any]:
    """Return the body of the preview of a group: how many would become what, and each of them in short."""
    outcomes = Counter(map(_outcome, group.previews))
    commands = sum(preview.commands for preview in group.previews)
    return {
        "matched": group.matched,
        "outcomes": dict(outcomes),
        "commands": commands,
        "refused": _refusals(group.refused),
        "not_previewed": group.left,
        "sentence": _sentence(group, outcomes, commands),
        "previews": [
            {
                "dead_letter_id": preview.dead_letter_id,
                "batch_id": preview.batch_id,
                "outcome": _outcome(preview),
                "sentence": preview.sentence or (preview.fault or {}).get("detail"),
                "commands": preview.commands,
            }
            for preview in group.previews
        ],
    }


def worked_body(worked: Worked, state: str) -> dict[str, Any]:
    """Return the body of what became of a group."""
    return {
        "matched": worked.matched,
        "done": worked.done,
        "state": state,
        "refused": _refusals(worked.refused),
        "left": worked.left,
    }


def _outcome(preview: Preview) -> str:
    if preview.becomes == "dead_letter":
        return "dead_letter"
    return _UNKNOWN if preview.disposition is None else preview.disposition.value


def _sentence(group: GroupPreview, outcomes: Counter[str], commands: int) -> str:
    """Return such as `of 120: 117 would be applied with 41 commands, 3 would be stale`."""
    told = []
    for outcome, count in outcomes.most_common():
        if outcome == "applied":
            told.append(f"{count} would be applied with {commands} commands")
        elif outcome == "dead_letter":
            told.append(f"{count} would become dead letters again")
        elif outcome == _UNKNOWN:
            told.append(f"{count} cannot be decided now")
        else:
            told.append(f"{count} would be {outcome}")
    if group.refused:
        told.append(f"{len(group.refused)} cannot be replayed")
    if group.left:
        told.append(f"{group.left} were not previewed in time")
    return f"of {group.matched}: {', '.join(told) or 'nothing to do'}"


def _refusals(refused: tuple[Refused, ...]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in refused]


def _summary(stored: StoredLetter) -> dict[str, Any]:
    letter = stored.letter
    return {
        "dead_letter_id": letter.dead_letter_id,
        "state": stored.state,
        "code": letter.code,
        "reason": letter.reason,
        "time": timestamp(stored.time_ms),
        "batch_id": stored.batch_id,
        "request_id": letter.request_id,
        "first": {
            "topic": letter.first.topic,
            "partition": letter.first.partition,
            "offset": letter.first.offset,
            "time": timestamp(letter.first.time_ms) if letter.first.time_ms else None,
        },
        "wrapped": letter.wrapped,
        "handled": None if letter.handled is None else _handled(letter.handled),
    }


def _handled(handled: Handled) -> dict[str, Any]:
    return {
        "state": handled.state,
        "at": timestamp(handled.time_ms),
        "by": handled.by,
        "note": handled.note or None,
    }


def _bytes(value: bytes | None) -> dict[str, Any] | None:
    """Return bytes in the form that says most about them: JSON, text or hexadecimal digits."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"form": "hex", "size": len(value), "content": value.hex()}
    try:
        parsed = json.loads(text, parse_constant=_refuse)
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {"form": "text", "size": len(value), "content": text}
    return {"form": "json", "size": len(value), "content": parsed}


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
