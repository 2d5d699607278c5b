"""What a phase timeline shows: attempts, pauses and decisions, from a status and its history. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from api.dashboard.views.words import Tone, phase_status_tone, phase_tone
from schemas.internal.enums import Disposition, PhaseStatus, ReasonCode
from schemas.internal.history import HistoryRecord
from schemas.internal.pipeline import PipelineDefinition
from schemas.internal.status import Deadline, PhaseView, StatusRecord

SpanKind = Literal["waiting", "running", "backing_off", "held"]
_KINDS: dict[str, SpanKind] = {
    PhaseStatus.DISPATCH_INITIATED.value: "running",
    PhaseStatus.WAITING_TO_RETRY.value: "backing_off",
    PhaseStatus.HELD.value: "held",
}


class Span(Struct, frozen=True, kw_only=True):
    """A stretch of time of a phase."""

    kind: SpanKind
    attempt: int
    tone: str
    start_ms: int
    end_ms: int | None
    """None: it goes on."""


class Mark(Struct, frozen=True, kw_only=True):
    """A decision, at the phase that it is about; `phase` is empty for the batch."""

    time_ms: int
    phase: str
    disposition: Disposition
    version: int
    offset: int


class Lane(Struct, frozen=True, kw_only=True):
    """One phase of the timeline."""

    phase: str
    view: PhaseView
    tone: Tone
    after: tuple[str, ...]
    spans: tuple[Span, ...]
    deadline: Deadline | None
    """Its next clock, other than that of a backoff."""

    @property
    def attempts(self) -> int:
        """How many attempts have a row of their own; at least one."""
        return max((span.attempt for span in self.spans), default=1)


class TimelineFacts(Struct, frozen=True, kw_only=True):
    """Everything that a timeline draws."""

    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    pauses: tuple[tuple[int, int | None], ...]
    """From and to; None while the batch is paused."""
    start_ms: int
    end_ms: int
    """The end of the batch, or now."""
    open: bool
    """Whether the batch goes on."""


def timeline_facts(
    record: StatusRecord,
    history: Sequence[HistoryRecord],
    now_ms: int,
    definition: PipelineDefinition | None = None,
) -> TimelineFacts:
    """Return the facts of a timeline.

    `history` may be a part of the batch's history: what it does not say is taken from the status, which knows the last
    attempt of each phase. Without a `definition` the phases stand in the order of the status, without lines.
    """
    history = sorted(history, key=lambda each: each.version)
    after = {} if definition is None else {phase.name: phase.after for phase in definition.phases}
    names = [name for name in after if name in record.phases] + [name for name in record.phases if name not in after]
    asked = {name for name in names if record.phases[name].status is not PhaseStatus.SKIPPED_BY_USER_CONFIG}
    begun = [each.time_ms for each in history if each.reason.code is ReasonCode.PIPELINE_STARTED]
    waits_since = begun[0] if begun else record.registered_ms
    lanes = tuple(
        _lane(name, record, history, waits_since, tuple(one for one in after.get(name, ()) if one in asked))
        for name in names
        if name in asked
    )
    end = now_ms if record.ended_ms is None else record.ended_ms
    return TimelineFacts(
        lanes=lanes,
        marks=tuple(_marks(history, asked)),
        pauses=_pauses(record, history),
        start_ms=record.registered_ms,
        end_ms=max(end, record.updated_ms, record.registered_ms + 1),
        open=record.ended_ms is None,
    )


def _lane(
    name: str, record: StatusRecord, history: Sequence[HistoryRecord], waits_since: int, after: tuple[str, ...]
) -> Lane:
    view = record.phases[name]
    spans = _told(name, history)
    if view.attempt and (not spans or spans[-1].attempt < view.attempt) and view.started_ms is not None:
        spans = [*_closed(spans, view.started_ms), _last_attempt(view, view.started_ms)]
    first = spans[0].start_ms if spans else view.completed_ms
    if view.attempt or view.status is PhaseStatus.PENDING_DEPENDENCIES:
        wait_end = first if first is not None else record.ended_ms
        if wait_end is None or wait_end > waits_since:
            waited = Span(kind="waiting", attempt=1, tone="idle", start_ms=waits_since, end_ms=wait_end)
            spans = [waited, *spans]
    clocks = [each for each in record.deadlines if each.phase == name and each.kind.value != "retry_backoff"]
    return Lane(
        phase=name,
        view=view,
        tone=phase_tone(view),
        after=after,
        spans=tuple(_toned(spans, view)),
        deadline=clocks[0] if clocks else None,
    )


def _told(name: str, history: Sequence[HistoryRecord]) -> list[Span]:
    """Return the spans that the history tells of."""
    spans: list[Span] = []
    for record in history:
        if record.disposition is not Disposition.APPLIED:
            continue
        for change in record.changes:
            if change.phase != name:
                continue
            spans = _closed(spans, record.time_ms, change.after)
            kind = _KINDS.get(change.after)
            if kind is not None:
                attempt = max((span.attempt for span in spans), default=0 if kind == "running" else 1)
                attempt += kind == "running"
                tone = _tone(change.after)
                spans.append(Span(kind=kind, attempt=attempt, tone=tone, start_ms=record.time_ms, end_ms=None))
        for effect in record.effects:
            if effect.kind == "command_phase" and effect.phase == name:
                spans = _commanded(spans, record.time_ms, effect.attempt)
    return spans


def _commanded(spans: list[Span], time_ms: int, attempt: int) -> list[Span]:
    if spans and spans[-1].kind == "running" and spans[-1].start_ms == time_ms:
        return [*spans[:-1], replace(spans[-1], attempt=attempt)]
    started = Span(kind="running", attempt=attempt, tone="running", start_ms=time_ms, end_ms=None)
    return [*_closed(spans, time_ms), started]


def _closed(spans: list[Span], time_ms: int, status: str | None = None) -> list[Span]:
    """Return the spans with the last one ended, in the tone of the status that ended it."""
    if not spans or spans[-1].end_ms is not None:
        return spans
    last = spans[-1]
    tone = last.tone
    if status is not None and last.kind == "running":
        tone = "failed" if status in (PhaseStatus.WAITING_TO_RETRY, PhaseStatus.HELD) else _tone(status)
    return [*spans[:-1], replace(last, end_ms=time_ms, tone=tone)]


def _tone(status: str) -> str:
    return phase_status_tone(PhaseStatus(status)).name


def _last_attempt(view: PhaseView, started_ms: int) -> Span:
    return Span(
        kind="running",
        attempt=view.attempt,
        tone=_tone(view.status),
        start_ms=started_ms,
        end_ms=view.completed_ms,
    )


def _toned(spans: Sequence[Span], view: PhaseView) -> Iterable[Span]:
    """Give the span that goes on the tone of the phase: a late one is stalled."""
    for span in spans:
        yield replace(span, tone=phase_tone(view).name) if span.end_ms is None and span.kind == "running" else span


def _marks(history: Sequence[HistoryRecord], phases: set[str]) -> Iterable[Mark]:
    for record in history:
        named = record.reason.phase or next((change.phase for change in record.changes if change.phase), "")
        yield Mark(
            time_ms=record.time_ms,
            phase=named if named in phases else "",
            disposition=record.disposition,
            version=record.version,
            offset=record.offset,
        )


def _pauses(record: StatusRecord, history: Sequence[HistoryRecord]) -> tuple[tuple[int, int | None], ...]:
    turns = [
        (each.time_ms, each.reason.code is ReasonCode.BATCH_PAUSED)
        for each in history
        if each.disposition is Disposition.APPLIED
        and each.reason.code in (ReasonCode.BATCH_PAUSED, ReasonCode.BATCH_RESUMED)
    ]
    turns.append((record.ended_ms or 0, False))
    found: list[tuple[int, int | None]] = [
        (start, end or None) for (start, pausing), (end, _) in pairwise(turns) if pausing
    ]
    since = None if record.pause is None else record.pause.since_ms
    if since is not None and not any(end is None for _, end in found):
        found.append((since, None))
    return tuple(found)
