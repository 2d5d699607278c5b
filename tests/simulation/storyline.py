"""The history of the batch that failed, as a person reads it: a few lines for each of its inbox records."""

import re

from schemas.internal.codec import encode
from schemas.internal.events import Event, RegisterBatch
from schemas.internal.history import HistoryRecord

Told = list[tuple[str, Event | None, HistoryRecord]]
MOST_LINES = 60
_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NOISE = re.compile(r'"(principal|context|spellcheck_metrics)":\{[^}]*\},?|"(fingerprint|text_storage_id)":')


def storyline(told: Told) -> str:
    """Return the steps of the batch of the last step. Ids are shortened to their first characters."""
    if not told:
        return "  (nothing was committed)"
    batch_id = told[-1][0]
    mine = [(event, history) for one, event, history in told if one == batch_id]
    lines = [_line(event, history) for event, history in mine]
    if len(lines) > MOST_LINES:
        lines[1:-MOST_LINES] = ["  …"]
    return f"  history of batch {batch_id}:\n" + _ID.sub(r"\1", "\n".join(lines))


def _line(event: Event | None, history: HistoryRecord) -> str:
    reason = encode(history.reason).decode()
    head = f"  {history.offset:>5} at {history.time_ms} {history.kind}: {history.disposition} {reason}"
    changes = [f"{change.phase or 'batch'}: {change.before} -> {change.after}" for change in history.changes]
    effects = [f"{note.kind} {note.phase} {note.attempt or ''}" for note in history.effects]
    body = "" if event is None else _body(event)
    told = [body, ", ".join(changes), "publishes " + ", ".join(effects) if effects else ""]
    return "\n".join([head, *(f"        {line}" for line in told if line)])


def _body(event: Event) -> str:
    body = event.body
    if not isinstance(body, RegisterBatch):
        return _NOISE.sub("", encode(body).decode())
    phases = "\n          ".join(encode(phase).decode() for phase in body.pipeline.phases)
    owner = body.principal.subject
    return f"by {owner}, {body.expected_essay_count} essays, requested {body.requested_phases}\n          {phases}"
