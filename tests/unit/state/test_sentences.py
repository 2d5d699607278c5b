"""Sentences of history records."""

from typing import Any

import pytest

from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import EffectNote, HistoryRecord, Reason
from state.sentences import sentence

FACTS: dict[str, Any] = {
    "writer": 1,
    "least_reader": 1,
    "batch_id": "b",
    "partition": 0,
    "offset": 1,
    "time_ms": 1,
    "kind": "phase_concluded",
    "disposition": Disposition.APPLIED,
    "version": 1,
    "based_on": 1,
}


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_a_sentence_of_its_own(code: ReasonCode) -> None:
    whole = Reason(code=code, phase="nlp", attempt=2, status="failed", essays=3)
    said = sentence(HistoryRecord(reason=whole, **FACTS))
    assert said
    assert "?" not in said
    assert "_" not in said, "the code itself is no sentence"


def test_what_a_reason_lacks_does_not_fail() -> None:
    assert sentence(HistoryRecord(reason=Reason(code=ReasonCode.PHASE_COMPLETED), **FACTS)) == "?: ? essays passed"


def test_counts_details_and_commands_follow() -> None:
    record = HistoryRecord(
        reason=Reason(
            code=ReasonCode.PHASE_COMPLETED, phase="nlp", essays=3, foreign=1, unaccounted=2, detail="as it was"
        ),
        failed=2,
        effects=(
            EffectNote("command_phase", "id", "topic", "cj_assessment", 2, 3),
            EffectNote("pipeline_completed", "id", "topic"),
        ),
        **FACTS,
    )
    assert sentence(record) == (
        "nlp: 3 essays passed, 2 not accounted for, 2 lost, 1 foreign (as it was); cj_assessment (attempt 2) commanded "
        "for 3 essays; the batch has ended"
    )
