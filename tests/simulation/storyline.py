"""The history of the batch that failed, as a person reads it."""

from schemas.internal.codec import encode
from schemas.internal.events import Event
from schemas.internal.history import HistoryRecord


def storyline(told: list[tuple[str, Event | None, HistoryRecord]]) -> str:
    """Return the steps of the batch of the last step, one a line."""
    if not told:
        return "  (nothing was committed)"
    batch_id = told[-1][0]
    mine = [(event, history) for one, event, history in told if one == batch_id]
    return "\n".join([f"  history of batch {batch_id}:", *(_line(event, history) for event, history in mine)])


def _line(event: Event | None, history: HistoryRecord) -> str:
    reason = encode(history.reason).decode()
    changes = ", ".join(f"{change.phase or 'batch'} {change.before} -> {change.after}" for change in history.changes)
    body = "" if event is None else encode(event.body).decode()
    head = f"  {history.offset:>5} at {history.time_ms} {history.kind}: {history.disposition} {reason}"
    return "\n".join([head, *([f"        {changes}"] if changes else []), f"        {body}"])
