from typing import Any

from api.dashboard.views.overview import Overview, attention_summary, overview
from api.queries.system import GateState, ProjectionState, SystemState
from schemas.internal.enums import BatchStatus, DeadlineKind
from schemas.internal.status import StatusRecord
from state.projection import Due, PhaseStats, Stats, StatusCounts, Usual
from state.why import Lag, Why, why
from tests.unit.api.dashboard import samples
from tests.unit.api.dashboard.samples import MINUTE, NOW

COUNTS = StatusCounts(
    batches={"processing_pipelines": 398, "awaiting_content_validation": 14, "failed_critically": 31},
    phases={},
    stalled=1,
    held=2,
    paused=3,
    attention=5,
)


def stats(**facts: Any) -> Stats:
    given: dict[str, Any] = {
        "now_ms": NOW,
        "as_of_ms": NOW,
        "counts": COUNTS,
        "live": 412,
        "phases": (),
        "registered": (0,) * 60,
        "ended": (0,) * 60,
        "dispositions": {},
        "next_deadlines": (),
        "overdue": (),
        "missed": 0,
    }
    return Stats(**given | facts)


def phase(**facts: Any) -> PhaseStats:
    given: dict[str, Any] = {
        "phase": "cj_assessment",
        "batches": 240,
        "essays": 9_120,
        "oldest_start_ms": NOW - 41 * MINUTE,
        "drained": (0,) * 60,
        "drain_per_minute": 310.0,
        "eta_ms": NOW + 29 * MINUTE,
        "failed_last_hour": 14,
        "usual": Usual(3 * MINUTE, 9 * MINUTE, 80),
    }
    return PhaseStats(**given | facts)


def explained(*records: StatusRecord) -> list[tuple[StatusRecord, Why]]:
    return [(each, why(each, NOW)) for each in records]


def system(**facts: Any) -> SystemState:
    given: dict[str, Any] = {
        "as_of_ms": NOW,
        "healthy": True,
        "problems": (),
        "processes": (),
        "partitions": (),
        "lags": (),
        "gate": None,
        "settings": (),
        "projection": ProjectionState(state="current", behind_s=0.2, error=None),
    }
    return SystemState(**given | facts)


def view(found: Stats, *records: StatusRecord, order: tuple[str, ...] = (), **facts: Any) -> Overview:
    return overview(found, explained(*records), system(**facts), now_ms=NOW, order=order)


def test_batches_that_need_a_person_are_grouped_by_why_the_longest_waiting_first() -> None:
    failed = samples.ended(BatchStatus.FAILED_CRITICALLY)
    groups = view(stats(), failed, samples.held(), samples.stalled(), samples.stalled()).attention
    assert [(group.code, group.count) for group in groups] == [
        ("phase_stalled", 2),
        ("phase_held", 1),
        ("ended_in_failure", 1),
    ]
    assert groups[0].since_ms == NOW - 41 * MINUTE
    assert "cj_assessment" in groups[0].sentence


def test_a_group_names_a_few_batches_and_counts_the_rest() -> None:
    group = view(stats(), *[samples.stalled()] * 5).attention[0]
    assert (len(group.batches), group.more) == (3, 2)
    assert group.batches[0].title == "9A · ENG5"


def test_the_headline_says_how_many_of_how_many() -> None:
    assert attention_summary(view(stats(), *[samples.stalled()] * 5)) == "5 batches need a person"
    assert "newest 1 are shown" in attention_summary(view(stats(), samples.stalled()))


def test_each_live_batch_is_counted_once_whatever_it_is() -> None:
    parts = view(stats()).parts
    assert sum(part.count for part in parts) == 412
    assert {part.tone.word: part.count for part in parts} == {
        "awaiting essays": 14,
        "awaiting students": 0,
        "processing": 392,
        "stalled": 1,
        "held": 2,
        "paused": 3,
    }


def test_a_phase_is_late_when_its_oldest_attempt_took_longer_than_almost_all_before() -> None:
    late, usual, unknown = (
        view(stats(phases=(each,))).phases[0]
        for each in (
            phase(),
            phase(oldest_start_ms=NOW - 4 * MINUTE),
            phase(usual=Usual(0, 0, 0)),
        )
    )
    assert late.late
    assert not usual.late
    assert not unknown.late


def test_a_phase_says_why_it_has_no_end_in_sight() -> None:
    assert view(stats(phases=(phase(eta_ms=None, drain_per_minute=0.0),))).phases[0].eta_note == "nothing drains"
    assert view(stats(phases=(phase(essays=0, batches=0, eta_ms=None),))).phases[0].eta_note == "idle"


def test_a_process_shows_its_worst_partition_in_seconds() -> None:
    lags = (Lag("router", 1, 0.1), Lag("router", 3, 8.2), Lag("inbox", 0, 0.4))
    found = {
        each.name: each for each in view(stats(), lags=lags, gate=GateState(open_until_ms=NOW, behind_s=2.0)).stations
    }
    assert (found["router"].seconds, found["router"].what) == (8.2, "partition 3 is behind")
    assert found["orchestrator"].tone.word == "current"
    assert found["projector"].seconds == 0.2
    assert found["timekeeper"].seconds == 2.0


def test_deadlines_that_have_passed_come_first() -> None:
    passed = Due(batch_id="a", due_ms=NOW - 1, kind=DeadlineKind.PHASE, phase="nlp")
    later = tuple(Due(batch_id="b", due_ms=NOW + each, kind=DeadlineKind.HOLD, phase="nlp") for each in range(1, 9))
    rows = view(stats(overdue=(passed,), next_deadlines=later)).deadlines
    assert [row.passed for row in rows] == [True, False, False, False, False, False]
    assert (rows[0].what, rows[1].what) == ("outcome of nlp due", "hold of nlp ends")


def test_a_product_that_was_never_used_is_told_from_one_in_which_nothing_is_live() -> None:
    assert view(stats(counts=StatusCounts(batches={}, phases={}), live=0)).never_used
    assert not view(stats(live=0)).never_used


def test_a_process_that_does_not_report_is_told_from_one_that_is_current() -> None:
    found = {each.name: each.tone.word for each in view(stats()).stations}
    assert found == {
        "router": "no report",
        "orchestrator": "no report",
        "projector": "current",
        "timekeeper": "no report",
    }


def test_a_database_that_cannot_be_read_is_told() -> None:
    lost = ProjectionState(state="unavailable", behind_s=0.0, error="The projection database cannot be read.")
    found = {each.name: each for each in view(stats(), projection=lost).stations}
    assert (found["projector"].tone.word, found["projector"].seconds) == ("unavailable", None)


def test_phases_stand_in_the_order_of_the_pipelines() -> None:
    phases = tuple(phase(phase=name) for name in ("ai_feedback", "nlp", "own", "spellcheck"))
    found = view(stats(phases=phases), order=("spellcheck", "nlp", "ai_feedback")).phases
    assert [each.name for each in found] == ["spellcheck", "nlp", "ai_feedback", "own"]
