"""The phase timeline of a batch: dependencies and Gantt chart in one drawing, with its facts as a table."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from markupsafe import Markup
from msgspec import Struct

from api.dashboard.drawings.git_lines import gutter
from api.dashboard.drawings.svg import number, tag
from api.dashboard.drawings.time_scale import TimeScale, time_scale
from api.dashboard.drawings.timeline_bars import GHOST_INSET, bar, fold, ghost, pause
from api.dashboard.drawings.timeline_facts import Lane, Span, TimelineFacts, timeline_facts
from api.dashboard.drawings.timeline_marks import marks
from api.dashboard.drawings.timeline_text import list_of, table_of
from api.dashboard.drawings.words import clock, length
from schemas.internal.enums import DeadlineKind
from schemas.internal.history import HistoryRecord
from schemas.internal.pipeline import PipelineDefinition
from schemas.internal.status import Deadline, StatusRecord

WIDTH = 1_080
_NAMES_X = 76.0
_PLOT_LEFT, _PLOT_RIGHT = 252.0, 920.0
_TOP, _FOOT = 30.0, 26.0
_ROW, _SUB_ROW = 40.0, 24.0


class Rows(Struct, frozen=True):
    """Where the rows of the phases lie."""

    top: dict[str, float]
    bottom: float

    def middle(self, phase: str, attempt: int = 1) -> float:
        """Return the middle of the row of an attempt; the top lane, of the batch, for an empty phase."""
        return self.top[phase] + _ROW / 2 + (attempt - 1) * _SUB_ROW if phase else _TOP - 10


def phase_timeline(
    record: StatusRecord,
    history: Sequence[HistoryRecord] = (),
    *,
    now_ms: int,
    definition: PipelineDefinition | None = None,
    usual_ms: Mapping[str, int] | None = None,
    decision_href: str = "/batches/{batch_id}/decisions/{version}",
) -> Markup:
    """Return the timeline of a batch as a figure.

    `usual_ms` is the median duration of each phase, drawn as a pale bar. `decision_href` is the link of a decision.
    """
    facts = timeline_facts(record, history, now_ms, definition)
    usual = usual_ms or {}
    drawing = _drawing(record, facts, now_ms, usual, decision_href.replace("{batch_id}", record.batch_id))
    return tag(
        "figure",
        tag("div", drawing, class_="timeline-wide", tabindex=0, role="region", aria_label="Timeline of the phases"),
        table_of(facts, usual),
        list_of(facts, usual),
        class_="timeline",
    )


def _drawing(record: StatusRecord, facts: TimelineFacts, now_ms: int, usual: Mapping[str, int], href: str) -> Markup:
    rows = _rows(facts.lanes)
    scale = _scale(facts, usual)
    height = rows.bottom + _FOOT
    return tag(
        "svg",
        _grid(scale, rows.bottom),
        _gutter(facts.lanes, rows),
        *(_lane(lane, rows, scale, facts, usual, now_ms) for lane in facts.lanes),
        *(pause(scale, since, until or facts.end_ms, _TOP, rows.bottom) for since, until in facts.pauses),
        *(fold(piece, _TOP, rows.bottom) for piece in scale.pieces if piece.folded),
        _now(scale, facts, rows.bottom),
        marks(facts.marks, rows.middle, scale, href),
        view_box=f"0 0 {WIDTH} {number(height)}",
        width=WIDTH,
        height=height,
        class_="timeline-drawing",
        role="group",
        aria_label=f"Phases of batch {record.batch_id} over time; the same facts stand in the table after it",
    )


def _rows(lanes: Sequence[Lane]) -> Rows:
    heights = [_ROW + (lane.attempts - 1) * _SUB_ROW for lane in lanes]
    tops = list(accumulate(heights, initial=_TOP))
    return Rows({lane.phase: top for lane, top in zip(lanes, tops, strict=False)}, tops[-1])


def _scale(facts: TimelineFacts, usual: Mapping[str, int]) -> TimeScale:
    spans = [(lane.phase, span) for lane in facts.lanes for span in lane.spans]
    running = [(phase, span) for phase, span in spans if span.kind == "running"]
    happenings = [mark.time_ms for mark in facts.marks]
    happenings += [time for _, span in spans for time in (span.start_ms, span.end_ms) if time is not None]
    working = [(span.start_ms, span.end_ms or facts.end_ms) for _, span in running]
    end = facts.end_ms
    if facts.open:  # room for what is expected, but never more than what has been
        expected = [span.start_ms + usual.get(phase, 0) for phase, span in running if span.end_ms is None]
        end += max(0, min(max(expected, default=0) - end, (end - facts.start_ms) // 2))
    return time_scale(facts.start_ms, end, [*happenings, facts.end_ms], working, _PLOT_LEFT, _PLOT_RIGHT)


def _grid(scale: TimeScale, bottom: float) -> Markup:
    times, step = scale.ticks()
    lines, labels, last = [], [], -1e9
    for time in times:
        x = scale.x(time)
        lines.append(tag("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid-line"))
        if x - last >= 56:
            labels.append(tag("text", clock(time, step), x=x, y=bottom + 18, class_="axis-text"))
            last = x
    labels.append(tag("text", "UTC", x=_PLOT_RIGHT + 12, y=bottom + 18, class_="axis-text axis-zone"))
    return tag("g", *lines, *labels, aria_hidden="true")


def _gutter(lanes: Sequence[Lane], rows: Rows) -> Markup:
    found = gutter(
        [lane.phase for lane in lanes],
        {lane.phase: lane.after for lane in lanes},
        {lane.phase: rows.middle(lane.phase) for lane in lanes},
    )
    lines = [tag("path", d=line.path, class_="dependency") for line in found.lines]
    nodes = [
        tag(
            "circle", cx=found.node_x[lane.phase], cy=rows.middle(lane.phase), r=5, class_=f"node tone-{lane.tone.name}"
        )
        for lane in lanes
    ]
    return tag("g", *lines, *nodes, aria_hidden="true")


def _lane(
    lane: Lane, rows: Rows, scale: TimeScale, facts: TimelineFacts, usual: Mapping[str, int], now_ms: int
) -> Markup:
    y = rows.middle(lane.phase)
    parts = [
        tag("text", lane.phase, x=_NAMES_X, y=y - 2, class_="phase-name"),
        tag("text", _beside(lane), x=_NAMES_X, y=y + 13, class_="phase-note"),
    ]
    for span in lane.spans:
        end = span.end_ms if span.end_ms is not None else facts.end_ms
        parts.append(bar(span, scale, end, rows.middle(lane.phase, span.attempt), _bar_label(span, lane, end)))
    running = [span for span in lane.spans if span.kind == "running"]
    if running and lane.phase in usual:
        last = running[-1]
        parts.append(ghost(scale, last.start_ms, usual[lane.phase], rows.middle(lane.phase, last.attempt)))
    if lane.deadline is not None:
        parts.append(_flag(y, _due(lane.deadline, now_ms), late=lane.deadline.due_ms <= now_ms))
    return tag("g", *parts, aria_hidden="true")


def _beside(lane: Lane) -> str:
    if lane.view.attempt > 1:
        return f"{lane.tone.word}, attempt {lane.view.attempt}"
    return lane.tone.word


def _bar_label(span: Span, lane: Lane, end_ms: int) -> str:
    if span.kind != "running":
        return {"held": "held", "backing_off": "backing off"}.get(span.kind, "")
    took = length(end_ms - span.start_ms)
    last = span.attempt == lane.view.attempt and lane.view.commanded
    return f"{took} · {lane.view.succeeded}/{lane.view.commanded}" if last and span.end_ms is not None else took


_CLOCKS = {
    DeadlineKind.STALLED: "flagged as late in",
    DeadlineKind.PHASE: "fails in",
    DeadlineKind.HOLD: "hold ends in",
    DeadlineKind.NEVER_PROVISIONED: "gives up in",
}


def _due(deadline: Deadline, now_ms: int) -> str:
    left = deadline.due_ms - now_ms
    if left <= 0:
        return "deadline has passed"
    return f"{_CLOCKS.get(deadline.kind, deadline.kind.value.replace('_', ' ') + ' in')} {length(left)}"


def _flag(y: float, words: str, *, late: bool) -> Markup:
    x = _PLOT_RIGHT + 12
    return tag(
        "g",
        tag("path", d=f"M{number(x)} {number(y + GHOST_INSET)}V{number(y - 7)}l9 3.5l-9 3.5", class_="flag-shape"),
        tag("text", words, x=x + 14, y=y + 4, class_="flag-text"),
        class_="flag flag-late" if late else "flag",
    )


def _now(scale: TimeScale, facts: TimelineFacts, bottom: float) -> Markup:
    x = scale.x(facts.end_ms)
    return tag(
        "g",
        tag("line", x1=x, x2=x, y1=_TOP - 4, y2=bottom, class_="now-line" if facts.open else "end-line"),
        tag("text", "now" if facts.open else "ended", x=x, y=_TOP - 20, class_="axis-text now-text"),
        aria_hidden="true",
    )
