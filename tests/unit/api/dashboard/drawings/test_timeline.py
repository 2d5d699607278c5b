from pathlib import Path

import pytest
from msgspec.structs import replace

from api.dashboard.drawings.timeline import phase_timeline
from api.dashboard.drawings.timeline_facts import timeline_facts
from schemas.internal.enums import DeadlineKind
from schemas.internal.history import HistoryRecord
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import StatusRecord
from state.decision.records import status_record
from tests.corpus.stage import history_of
from tests.corpus.test_corpus import FILES, newest_status, read
from tests.unit.api.dashboard.drawings.reading import of_class, parsed, table_rows
from tests.unit.state.clocked import HOLDS, RETRIES, ClockedStory, begun, phase, pipeline_of

DIAMOND = (
    phase("spellcheck"),
    phase("cj_assessment", ("spellcheck",)),
    phase("nlp", ("spellcheck",)),
    phase("feedback", ("cj_assessment", "nlp")),
)


def seen(story: ClockedStory) -> tuple[StatusRecord, list[HistoryRecord]]:
    return status_record(story.batch), [told.history for told in story.told]


def definition(*phases: PhaseDefinition) -> PipelineDefinition:
    return pipeline_of(*phases)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_recorded_batch_can_be_drawn_at_each_of_its_decisions(file: Path) -> None:
    records = read(file)
    status = newest_status(records)
    if status is None:
        return
    histories = [history_of(each) for each in records]
    for count in range(len(histories) + 1):
        parsed(phase_timeline(status, histories[:count], now_ms=status.updated_ms + 60_000))


def test_each_attempt_has_a_bar_and_a_row_of_the_table() -> None:
    story = begun(phase("spellcheck", **RETRIES))
    story.wait(30)
    story.fail("spellcheck")
    story.reach(DeadlineKind.RETRY_BACKOFF, "spellcheck")
    story.wait(10)
    record, history = seen(story)
    root = parsed(phase_timeline(record, history, now_ms=story.now_ms))
    rows = table_rows(root)
    assert [row[3] for row in rows] == ["1", "2"]
    assert rows[0][6] == "31s"
    assert rows[1][5] == "goes on"
    assert [bar.get("class") for bar in of_class(root, "bar")] == ["bar tone-failed", "bar tone-running bar-open"]
    assert len(of_class(root, "bar-backing-off")) == 1


def test_attempts_that_the_history_does_not_tell_are_taken_from_the_status() -> None:
    story = begun(phase("spellcheck"))
    record, _ = seen(story)
    [lane] = timeline_facts(record, [], story.now_ms).lanes
    assert [(span.kind, span.end_ms) for span in lane.spans] == [("waiting", story.now_ms), ("running", None)]


def test_dependencies_are_lines_from_row_to_row() -> None:
    story = begun(*DIAMOND)
    record, history = seen(story)
    root = parsed(phase_timeline(record, history, now_ms=story.now_ms, definition=definition(*DIAMOND)))
    assert len(of_class(root, "dependency")) == 4
    assert table_rows(root)[3][2] == "cj_assessment, nlp"


def test_a_pause_is_hatched_and_said() -> None:
    story = begun(phase("spellcheck"))
    story.pause()
    record, history = seen(story)
    facts = timeline_facts(record, history, story.now_ms + 60_000)
    assert facts.pauses == ((story.now_ms, None),)
    story.wait(60)
    story.resume()
    record, history = seen(story)
    root = parsed(phase_timeline(record, history, now_ms=story.now_ms))
    assert len(of_class(root, "pause-hatch")) == 1
    assert "Paused from 2025-06-15" in "".join(root.itertext())


def test_a_held_phase_looks_as_if_it_needs_somebody() -> None:
    story = begun(phase("spellcheck", **HOLDS))
    story.fail("spellcheck")
    story.wait(600)
    record, history = seen(story)
    root = parsed(phase_timeline(record, history, now_ms=story.now_ms))
    assert [bar.get("class") for bar in of_class(root, "bar-held")] == ["bar-held tone-stalled bar-open"]
    assert [text.text for text in of_class(root, "flag-text")] == ["hold ends in 6m 40s"]


def test_long_idle_time_is_folded_and_running_time_never() -> None:
    story = ClockedStory(definition(phase("spellcheck")))
    story.register()
    story.wait(3_600)
    story.ready()
    story.wait(60)
    story.answer("spellcheck")
    record, history = seen(story)
    assert len(of_class(parsed(phase_timeline(record, history, now_ms=story.now_ms)), "fold-line")) == 1
    late = begun(phase("spellcheck"))
    late.wait(3_600)
    record, history = seen(late)
    assert not of_class(parsed(phase_timeline(record, history, now_ms=late.now_ms)), "fold-line")


def test_decisions_that_would_overlap_are_one_link_with_their_number() -> None:
    story = begun(phase("spellcheck"))
    for _ in range(5):
        story.ready()
    story.wait(600)
    record, history = seen(story)
    root = parsed(phase_timeline(record, history, now_ms=story.now_ms))
    links = of_class(root, "mark")
    assert sorted(text.text or "" for text in of_class(root, "mark-count")) == ["2", "5"]
    newest = f"/batches/{record.batch_id}/decisions/{history[-1].version}"
    assert newest in [link.get("href") for link in links]


def test_texts_are_escaped() -> None:
    story = begun(phase("a"))
    record, history = seen(story)
    hostile = replace(record, phases={'<script>"&': record.phases["a"]}, batch_id='"><script>')
    markup = str(phase_timeline(hostile, history, now_ms=story.now_ms))
    assert "<script>" not in markup
    parsed(phase_timeline(hostile, history, now_ms=story.now_ms))


def test_the_usual_duration_is_a_pale_bar_that_has_room() -> None:
    story = begun(phase("spellcheck"))
    story.wait(100)
    record, history = seen(story)
    root = parsed(phase_timeline(record, history, now_ms=story.now_ms, usual_ms={"spellcheck": 120_000}))
    [ghost] = of_class(root, "ghost")[0].iter("rect")
    [bar] = of_class(root, "bar")
    path = bar.find("path")
    assert path is not None
    right = float(path.get("d", "").split("H")[1].split("l")[0])
    assert float(ghost.get("x", "")) + float(ghost.get("width", "")) > right
    assert table_rows(root)[0][6] == "1m 40s, usually 2m"


def test_phases_that_nobody_asked_for_are_left_out() -> None:
    story = begun(phase("spellcheck"), phase("nlp", ("spellcheck",)), phases_asked=["spellcheck"])
    record, history = seen(story)
    facts = timeline_facts(record, history, story.now_ms, definition(*DIAMOND))
    assert [lane.phase for lane in facts.lanes] == ["spellcheck"]
