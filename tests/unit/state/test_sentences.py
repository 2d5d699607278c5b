"""Sentences of history records."""

from typing import Any

import pytest

from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.history import Change, EffectNote, HistoryRecord, Reason
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
    whole = Reason(code=code, phase="nlp", attempt=2, status="failed", essays=3, what="a record", size=2, limit=1)
    said = sentence(HistoryRecord(reason=whole, **FACTS))
    assert said
    assert "?" not in said
    assert "_" not in said, "the code itself is no sentence"


def test_what_a_reason_lacks_does_not_fail() -> None:
    assert sentence(HistoryRecord(reason=Reason(code=ReasonCode.PHASE_COMPLETED), **FACTS)) == "?: ? essays passed"


@pytest.mark.parametrize(
    ("status", "said"),
    [("held", "it is held for a person"), ("waiting_to_retry", "another attempt follows after its backoff")],
)
def test_a_missed_deadline_says_what_becomes_of_the_phase(status: str, said: str) -> None:
    reason = Reason(code=ReasonCode.PHASE_DEADLINE_MISSED, phase="nlp")
    record = HistoryRecord(reason=reason, failed=2, changes=(Change(phase="nlp", after=status),), **FACTS)
    assert sentence(record) == f"nlp: no outcome came before its deadline, 2 lost; {said}"


def test_one_essay_is_no_plural() -> None:
    commanded = (EffectNote(kind="command_phase", topic="t", event_id="e", phase="nlp", attempt=1, essays=1),)
    record = HistoryRecord(reason=Reason(code=ReasonCode.PIPELINE_STARTED, essays=1), effects=commanded, **FACTS)
    assert sentence(record) == "1 essay is ready; nlp commanded for 1 essay"


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
