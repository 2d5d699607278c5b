"""Bulk operations as their pages show them."""

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, quote

from msgspec import Struct

from api.dashboard.drawings.status_bar import Part
from api.dashboard.views.dead_letters import letter_url
from api.dashboard.views.links import batch_url
from api.dashboard.views.problem import HELP
from api.dashboard.views.words import Tone, counted, disposition_tone, short_id
from api.operations.dry_run import UNKNOWN, DryRun
from schemas.errors import CODE_PREFIX
from schemas.internal.enums import Disposition
from schemas.internal.operations import OperationAction, OperationRecord, OperationState, RefusedItem, Tally

PATH = "/operations"
ASK_NUMBER_ABOVE = 100
"""Items above which a person types their number before all of them are worked."""
_STATES = {
    OperationState.RUNNING: Tone("running", "running", "running", open=True),
    OperationState.FINISHED: Tone("done", "done", "finished"),
    OperationState.STOPPED: Tone("idle", "cancelled", "stopped"),
    OperationState.FAILED: Tone("failed", "failed", "failed"),
}
_STOPPING = Tone("paused", "paused", "stopping", open=True)
_WAITING = Tone("stalled", "stalled", "cannot go on", open=True)
_LEFT = Tone("idle", "waiting", "not yet decided", open=True)
_NOT_TOLD = Tone("stalled", "stalled", "cannot be told now")
_VERBS = {
    OperationAction.CANCEL: "Cancel",
    OperationAction.PAUSE: "Pause",
    OperationAction.RESUME: "Resume",
    OperationAction.RETRY: "Retry",
    OperationAction.REPLAY_DEAD_LETTERS: "Replay",
    OperationAction.DISCARD_DEAD_LETTERS: "Discard",
}
_NOT_PART_OF_FILTER = frozenset({"action", "of", "id", "phase_to_retry", "essays", "reason", "number", "cursor"})


class ResultRow(Struct, frozen=True, kw_only=True):
    """How many items had one result."""

    tone: Tone
    reason: str
    count: int


class ItemRow(Struct, frozen=True, kw_only=True):
    """An item to which the action was not applied."""

    short: str
    url: str
    tone: Tone
    reason: str


class OperationRow(Struct, frozen=True, kw_only=True):
    """An operation."""

    operation_id: str
    short: str
    url: str
    tone: Tone
    title: str
    """What is done with what."""
    selection: str
    reason: str
    by: str
    created_ms: int
    ended_ms: int | None
    progress: str
    parts: tuple[Part, ...]
    results: tuple[ResultRow, ...]
    refused: tuple[ItemRow, ...]
    summary: tuple[ResultRow, ...]
    """Results by disposition alone."""
    waiting_for: str
    stopped_by: str
    failure_code: str
    """Error code of what has ended it; empty unless it failed."""
    failure: str
    help_url: str
    """The page about that code; empty unless it failed."""
    stoppable: bool


class DryRunView(Struct, frozen=True, kw_only=True):
    """What would come of an operation."""

    fits: int
    fits_text: str
    sentence: str
    results: tuple[ResultRow, ...]
    parts: tuple[Part, ...]
    refused: tuple[ItemRow, ...]
    ask_number: bool


def operation_url(operation_id: str, below: str = "") -> str:
    """Return the page of an operation, or what lies below it."""
    return f"{PATH}/{quote(operation_id, safe='')}{below}"


def operation_row(record: OperationRecord, *, stopping: bool) -> OperationRow:
    """Return an operation; `stopping` where somebody has asked for its end."""
    results = tuple(_results(record.tallies))
    left = max(0, record.expected - record.done)
    parts = [Part(label=row.reason, count=row.count, tone=row.tone.name) for row in results]
    if left and not record.state.ended:
        parts.append(Part(label=_LEFT.word, count=left, tone=_LEFT.name))
    expected = f"more than {record.expected:,}" if record.expected_more else f"{record.expected:,}"
    return OperationRow(
        operation_id=record.operation_id,
        short=short_id(record.operation_id),
        url=operation_url(record.operation_id),
        tone=_state(record, stopping=stopping),
        title=title_of(record.action, record.phase, record.essays),
        selection=_selection(record),
        reason=record.reason,
        by=record.principal.subject,
        created_ms=record.created_ms,
        ended_ms=record.ended_ms,
        progress=f"{record.done:,} of {expected}",
        parts=tuple(parts),
        results=results,
        refused=tuple(_item(each, record.action) for each in record.refused),
        summary=tuple(_by_tone(results)),
        waiting_for="" if record.state.ended else record.waiting_for,
        stopped_by=record.stopped_by,
        failure_code=record.failure_code,
        failure=record.failure,
        help_url=HELP.format(code=record.failure_code) if record.failure_code else "",
        stoppable=not record.state.ended and not stopping,
    )


def dry_run_view(found: DryRun) -> DryRunView:
    """Return what would come of an operation."""
    results = tuple(_results(found.tallies))
    return DryRunView(
        fits=found.fits,
        fits_text=f"more than {found.fits:,}" if found.more else f"{found.fits:,}",
        sentence=found.sentence,
        results=results,
        parts=tuple(Part(label=row.reason, count=row.count, tone=row.tone.name) for row in results),
        refused=tuple(_item(each, found.action) for each in found.refused),
        ask_number=found.fits > ASK_NUMBER_ABOVE,
    )


def title_of(action: OperationAction, phase: str = "", essays: str = "") -> str:
    """Return what is done with the items."""
    verb = _VERBS.get(action, action.value.replace("-", " ").capitalize())
    if action is OperationAction.RETRY:
        return f"Retry {phase}, {'all essays' if essays == 'all' else 'the essays that it lost'}"
    return f"{verb} {'dead letters' if action.of_letters else 'batches'}"


def filter_fields(given: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return those fields of a form that are a list's filter."""
    return tuple((name, value) for name, value in given if value and name not in _NOT_PART_OF_FILTER)


def selection_text(filters: Sequence[tuple[str, str]], ids: Sequence[str]) -> str:
    """Return which items are meant."""
    if ids:
        return f"{counted(len(ids), 'item')} chosen one by one"
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in filters)


def items_url(record: OperationRecord) -> str:
    """Return the list of the items of an operation as it is now; empty where they were chosen one by one."""
    if not record.filter:
        return ""
    return f"{'/dead-letters' if record.action.of_letters else '/batches'}?{record.filter}"


def _state(record: OperationRecord, *, stopping: bool) -> Tone:
    if record.state.ended:
        return _STATES[record.state]
    if stopping:
        return _STOPPING
    if record.waiting_for:
        return _WAITING
    return _STATES.get(record.state) or Tone("stalled", "stalled", record.state.value)


def _selection(record: OperationRecord) -> str:
    if record.ids:
        return f"{counted(len(record.ids), 'item')} chosen one by one"
    given = [(name, value) for name, value in parse_qsl(record.filter) if name != "created_before"]
    return selection_text(given, ())


def _results(tallies: Iterable[Tally]) -> Iterable[ResultRow]:
    for tally in sorted(tallies, key=lambda each: -each.count):
        yield ResultRow(tone=_disposition(tally.disposition), reason=_reason(tally.reason), count=tally.count)


def _by_tone(results: Sequence[ResultRow]) -> Iterable[ResultRow]:
    for tone in dict.fromkeys(row.tone for row in results):
        yield ResultRow(tone=tone, reason="", count=sum(row.count for row in results if row.tone == tone))


def _item(item: RefusedItem, action: OperationAction) -> ItemRow:
    return ItemRow(
        short=short_id(item.id),
        url=letter_url(item.id) if action.of_letters else batch_url(item.id),
        tone=_disposition(item.disposition),
        reason=_reason(item.reason),
    )


def _disposition(word: str) -> Tone:
    if word == UNKNOWN:
        return _NOT_TOLD
    if word == "dead_letter":
        return Tone("failed", "failed", "dead letter again")
    return disposition_tone(Disposition(word))


def _reason(code: str) -> str:
    return code if code.startswith(CODE_PREFIX) else code.replace("_", " ")
