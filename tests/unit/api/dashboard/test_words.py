from pathlib import Path

import pytest

from api.dashboard.views import words
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus
from tests.unit.api.dashboard import samples

TONES = {"running", "done", "partial", "failed", "stalled", "paused", "idle"}
SHAPES = (Path(words.__file__).parents[1] / "templates" / "shapes.html").read_text()


@pytest.mark.parametrize("status", list(BatchStatus))
def test_every_status_of_a_batch_has_a_tone_a_shape_and_a_word(status: BatchStatus) -> None:
    _is_known(words.batch_status_tone(status))


@pytest.mark.parametrize("status", list(PhaseStatus))
def test_every_status_of_a_phase_has_a_tone_a_shape_and_a_word(status: PhaseStatus) -> None:
    _is_known(words.phase_status_tone(status))


@pytest.mark.parametrize("disposition", list(Disposition))
def test_every_disposition_has_a_tone_a_shape_and_a_word(disposition: Disposition) -> None:
    _is_known(words.disposition_tone(disposition))


def _is_known(tone: words.Tone) -> None:
    assert tone.name in TONES
    assert f'id="s-{tone.shape}"' in SHAPES
    assert tone.word


def test_a_status_of_a_later_version_is_shown_by_its_own_word_as_something_to_look_at() -> None:
    tone = words.batch_status_tone(BatchStatus("archived_for_good"))
    assert (tone.name, tone.word) == ("stalled", "archived for good")


def test_a_status_that_can_still_change_has_an_open_edge() -> None:
    for status in BatchStatus:
        assert words.batch_status_tone(status).open is not status.terminal
    for phase in PhaseStatus:
        assert words.phase_status_tone(phase).open is not phase.terminal


def test_what_needs_a_person_comes_before_the_status() -> None:
    assert words.batch_tone(samples.batch()).word == "processing"
    assert words.batch_tone(samples.stalled()).word == "stalled"
    assert words.batch_tone(samples.held()).word == "held"
    assert words.batch_tone(samples.paused()).word == "paused"


def test_a_batch_that_has_ended_shows_how() -> None:
    assert words.batch_tone(samples.ended()).word == "completed"
    assert words.batch_tone(samples.ended(BatchStatus.FAILED_CRITICALLY)).word == "failed"


def test_a_cell_says_phase_status_and_essays() -> None:
    cells = {cell.name: cell.sentence for cell in words.phase_cells(samples.batch())}
    assert cells["spellcheck"] == "spellcheck: partly completed, 24 of 25 essays passed"
    assert cells["cj_assessment"] == "cj_assessment: running, 0 of 24 essays passed so far"
    assert cells["nlp"] == "nlp: waiting"
    assert cells["ai_feedback"] == "ai_feedback: not requested"
    held = {cell.name: cell.sentence for cell in words.phase_cells(samples.held())}
    assert held["cj_assessment"] == "cj_assessment: held, 0 of 24 essays passed, attempt 2"
