from typing import Any

from api.dashboard.views.decisions import decision_groups, decision_row, position_of
from schemas.ids import VERSIONS_PER_GENERATION
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Principal
from schemas.internal.history import Change, HistoryRecord, Reason

D = Disposition


def record(offset: int, disposition: Disposition = D.APPLIED, **facts: Any) -> HistoryRecord:
    given: dict[str, Any] = {
        "writer": 1,
        "least_reader": 1,
        "batch_id": "7f3a2c91",
        "partition": 3,
        "offset": offset,
        "time_ms": 1_795_442_602_120 + offset,
        "kind": "phase_concluded",
        "disposition": disposition,
        "reason": Reason(code=ReasonCode.PHASE_COMPLETED, phase="nlp", essays=24),
        "version": offset,
        "based_on": offset - 1,
    }
    return HistoryRecord(**given | facts)


def test_a_decision_says_what_was_decided_on_and_what_it_changed() -> None:
    row = decision_row(
        record(
            18_812,
            kind="retry",
            actor=Principal(subject="ops.nilsson"),
            changes=(Change(phase="nlp", before="failed", after="dispatch_initiated"),),
        )
    )
    assert (row.kind, row.by) == ("request to retry", "ops.nilsson")
    assert row.url == "/batches/7f3a2c91/decisions/18812"
    change = row.changes[0]
    assert change.before is not None
    assert (change.what, change.before.word, change.after.word) == ("nlp", "failed", "running")


def test_an_ignored_record_has_a_page_of_its_own_though_it_gave_no_version() -> None:
    duplicate = record(18_815, D.DUPLICATE, version=18_812, based_on=18_812)
    assert position_of(duplicate) == 18_815
    assert decision_row(duplicate).url.endswith("/decisions/18815")


def test_a_position_counts_on_after_the_inbox_was_made_anew() -> None:
    later = record(7, version=VERSIONS_PER_GENERATION + 7, based_on=VERSIONS_PER_GENERATION + 3)
    assert position_of(later) == VERSIONS_PER_GENERATION + 7


def test_ignored_decisions_in_a_row_are_folded_and_counted() -> None:
    groups = decision_groups(
        [
            record(9),
            record(8, D.DUPLICATE),
            record(7, D.STALE),
            record(6, D.DUPLICATE),
            record(5),
            record(4, D.DUPLICATE),
            record(3, D.REFUSED),
        ]
    )
    assert [group.summary for group in groups] == ["", "2 duplicates and 1 stale", "", "", ""]
    assert [len(group.rows) for group in groups] == [1, 3, 1, 1, 1]


def test_what_was_refused_is_never_folded() -> None:
    groups = decision_groups([record(3, D.REFUSED), record(2, D.REFUSED)])
    assert [group.summary for group in groups] == ["", ""]


def test_a_record_that_nobody_could_read_is_told_as_such() -> None:
    row = decision_row(record(4, D.QUARANTINED, kind="", reason=Reason(code=ReasonCode.UNREADABLE_RECORD)))
    assert row.kind == "record that cannot be read"
    assert row.tone.word == "quarantined"
