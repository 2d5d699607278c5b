"""The facts of a timeline as text: a table for screen readers, and a list for narrow screens."""

from collections.abc import Mapping

from markupsafe import Markup

from api.dashboard.drawings.svg import joined, number, tag
from api.dashboard.drawings.timeline_facts import Lane, Span, TimelineFacts
from api.dashboard.drawings.words import length
from api.dashboard.views.times import utc
from api.dashboard.views.words import counted

_COLUMNS = ("Phase", "Status", "After", "Attempt", "Commanded", "Ended", "Took", "Essays")


def table_of(facts: TimelineFacts, usual: Mapping[str, int]) -> Markup:
    """Return all attempts as a table that only screen readers show."""
    rows = [_row(lane, span, facts, usual) for lane in facts.lanes for span in _attempts(lane)]
    head = tag("tr", *(tag("th", name, scope="col") for name in _COLUMNS))
    pauses = [
        f"Paused from {utc(since)}" + (f" to {utc(until)}." if until else ", still.") for since, until in facts.pauses
    ]
    caption = " ".join(["Phases, attempt by attempt.", *pauses])
    table = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows))
    return tag("div", table, class_="visually-hidden")  # a table itself would be as wide as its content


def list_of(facts: TimelineFacts, usual: Mapping[str, int]) -> Markup:
    """Return the phases as a list with small bars, for narrow screens."""
    longest = max((_length(lane, facts) for lane in facts.lanes), default=1)
    items = [
        tag(
            "li",
            tag("span", lane.phase, class_="phase-name"),
            tag("span", _summary(lane, facts, usual), class_="phase-note"),
            _small_bar(lane, _length(lane, facts) / max(1, longest)),
            class_=f"tone-{lane.tone.name}",
        )
        for lane in facts.lanes
    ]
    return tag("ol", *items, class_="timeline-narrow")


def _row(lane: Lane, span: Span | None, facts: TimelineFacts, usual: Mapping[str, int]) -> Markup:
    cells: list[str] = [lane.tone.word, ", ".join(lane.after) or "nothing"]
    if span is None:
        cells += ["none yet", "", "", ""]
    else:
        end = facts.end_ms if span.end_ms is None else span.end_ms
        took = length(end - span.start_ms)
        if lane.phase in usual:
            took += f", usually {length(usual[lane.phase])}"
        cells += [str(span.attempt), utc(span.start_ms), utc(end) if span.end_ms else "goes on", took]
    cells.append(_essays(lane))
    return tag("tr", tag("th", lane.phase, scope="row"), *(tag("td", cell) for cell in cells))


def _attempts(lane: Lane) -> list[Span] | list[None]:
    return [span for span in lane.spans if span.kind == "running"] or [None]


def _summary(lane: Lane, facts: TimelineFacts, usual: Mapping[str, int]) -> str:
    running = [span for span in lane.spans if span.kind == "running"]
    said = [lane.tone.word]
    if lane.view.attempt > 1:
        said[0] += f", attempt {lane.view.attempt}"
    if running:
        end = facts.end_ms if running[-1].end_ms is None else running[-1].end_ms
        took = length(end - running[-1].start_ms)
        said.append(f"{took} (usually {length(usual[lane.phase])})" if lane.phase in usual else took)
    if lane.view.commanded:
        said.append(_essays(lane))
    return " · ".join(said)


def _essays(lane: Lane) -> str:
    view = lane.view
    if not view.commanded:
        return ""
    text = f"{view.succeeded} of {counted(view.commanded, 'essay')}"
    lost = view.failed + view.unaccounted
    return f"{text}, {lost} lost" if lost else text


def _length(lane: Lane, facts: TimelineFacts) -> int:
    spans = [span for span in lane.spans if span.kind == "running"]
    return sum((facts.end_ms if span.end_ms is None else span.end_ms) - span.start_ms for span in spans)


def _small_bar(lane: Lane, share: float) -> Markup:
    if not any(span.kind == "running" for span in lane.spans):
        return joined()
    return tag(
        "svg",
        tag("rect", x=0, y=0, width=f"{number(max(2.0, 100 * share))}%", height=6, rx=3),
        class_=f"small-bar tone-{lane.tone.name}",
        width="100%",
        height=6,
        aria_hidden="true",
    )
