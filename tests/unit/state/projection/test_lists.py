"""Lists, counts and numbers agree with what the snapshots themselves say, on either database."""

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from schemas.internal.dead_letters import DISCARDED, dead_letter
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.internal.history import NO_VERSION
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.status import StatusRecord
from state.projection import EVERYTHING, BatchFilter, Reader, Visibility, Writer
from tests.unit.state.projection.conftest import IDENTITY
from tests.unit.state.projection.log import T0, Log, batch_id, handled, history
from tests.unit.state.projection.reference import DAY_MS, Reference
from tests.unit.state.projection.varied import SPAN_MS, varied

NOW = T0 + SPAN_MS // 2 + DAY_MS
"""Some failures are more than a day old, some are not."""
BATCHES = 60
VISIBILITIES = (
    EVERYTHING,
    Visibility(owner_organisation="school"),
    Visibility(owner_subject="ann"),
    Visibility(owner_subject="ann", owner_organisation="school"),
    Visibility(owner_subject="nobody", owner_organisation=""),
)
HALF = T0 + SPAN_MS // 2
FILTERS = (
    BatchFilter(),
    BatchFilter(status=(BatchStatus.CANCELLED,)),
    BatchFilter(status=(BatchStatus.CANCELLED, BatchStatus.PROCESSING_PIPELINES)),
    BatchFilter(phase="nlp"),
    BatchFilter(phase_status=PhaseStatus.FAILED),
    BatchFilter(phase="spellcheck", phase_status=PhaseStatus.DISPATCH_INITIATED),
    BatchFilter(phase="unheard of"),
    BatchFilter(owner="ann"),
    BatchFilter(organisation="school"),
    BatchFilter(user="bo"),
    BatchFilter(course="SV1"),
    BatchFilter(pipeline="other"),
    *(replace(BatchFilter(), **{flag: wanted}) for flag in ("stalled", "held", "paused") for wanted in (True, False)),
    BatchFilter(ended=True),
    BatchFilter(ended=False),
    BatchFilter(attention=True),
    BatchFilter(attention=False),
    BatchFilter(created_from_ms=HALF),
    BatchFilter(created_before_ms=HALF),
    BatchFilter(updated_from_ms=HALF, updated_before_ms=HALF + DAY_MS),
    BatchFilter(due_before_ms=HALF),
    BatchFilter(course="ENG5", ended=True, attention=True, updated_from_ms=HALF),
    BatchFilter(phase="cj", status=(BatchStatus.PROCESSING_PIPELINES,), owner="bo", stalled=False),
    BatchFilter(phase_status=PhaseStatus.HELD, created_before_ms=HALF, ended=False, due_before_ms=HALF),
)


class Filled:
    """A projection of many batches with a past, and what it must answer."""

    def __init__(self, engine: Engine) -> None:
        random, log, writer = Random(1), Log(), Writer(engine)
        writer.prepare(IDENTITY)
        newest: dict[int, StatusRecord] = {}
        for version in range(1, 3 * BATCHES):
            number = random.randrange(1, BATCHES)
            newest[number] = varied(random, number, version)
            writer.apply([log.write(newest[number])])
        about = [about_batch(offset, number) for offset, number in enumerate((3, 4, 5))]
        letters = [log.write(letter) for letter in about]
        broken = log.write_all(history(6, 5, 5, NO_VERSION), history(6, 9, 9, 4))
        writer.apply([*letters, *broken, log.write(handled(letters[1], DISCARDED))])
        self.reference = Reference(
            newest.values(), now_ms=NOW, letters={batch_id(3), batch_id(5)}, breaks={batch_id(6)}
        )
        self.reader = Reader(engine, clock_ms=lambda: NOW)
        self.log = log


def about_batch(offset: int, number: int) -> OutgoingRecord:
    """A dead letter of a record of a batch."""
    return dead_letter(
        value=b"{}",
        key=batch_id(number).encode(),
        first=RecordPosition("inbox", 0, offset, T0 + offset),
        code="ORC-QUARANTINED",
        reason="it could not be decided",
        wrapped=True,
    )


@pytest.fixture(scope="module")
def filled(read_only_engine: Engine) -> Filled:
    return Filled(read_only_engine)


def all_pages(reader: Reader, filters: BatchFilter, visibility: Visibility, **given: Any) -> list[StatusRecord]:
    found: list[StatusRecord] = []
    cursor = None
    while True:
        page = reader.list(filters, visibility, cursor=cursor, limit=7, **given)
        found += page.batches
        if page.next_cursor is None:
            return found
        assert len(page.batches) == 7
        cursor = page.next_cursor


@pytest.mark.slow
@pytest.mark.parametrize("probed", [1, 1_000], ids=["any-index-leads", "the-rarest-leads"])
def test_lists_counts_and_ids_are_those_of_the_snapshots(
    filled: Filled, probed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("state.projection.batch_query.PROBED", probed)
    monkeypatch.setattr("state.projection.batch_query.PROBED_UNORDERED", probed)
    for visibility in VISIBILITIES:
        for filters in FILTERS:
            expected = filled.reference.fitting(filters, visibility)
            assert all_pages(filled.reader, filters, visibility) == expected, filters
            assert filled.reader.count(filters, visibility, most=100) == len(expected), filters
            assert filled.reader.count(filters, visibility, most=3) == min(3, len(expected)), filters
            ids, cursor = filled.reader.ids(filters, visibility, limit=5)
            rest, end = filled.reader.ids(filters, visibility, cursor=cursor) if cursor else ((), None)
            assert end is None
            assert [*ids, *rest] == [batch.batch_id for batch in reversed(expected)], filters


def test_every_filter_of_the_tests_divides_the_batches(filled: Filled) -> None:
    everyone = len(filled.reference.fitting(BatchFilter()))
    fits = [len(filled.reference.fitting(filters)) for filters in FILTERS[1:]]
    assert [filters for filters, n in zip(FILTERS[1:], fits, strict=True) if n == everyone] == []
    assert sum(n == 0 for n in fits) <= 3


def test_a_list_can_go_from_the_oldest_on(filled: Filled) -> None:
    expected = filled.reference.fitting(BatchFilter())[::-1]
    assert all_pages(filled.reader, BatchFilter(), EVERYTHING, newest_first=False) == expected


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_kept_counts_are_those_of_the_snapshots(filled: Filled, visibility: Visibility) -> None:
    assert filled.reader.counts(visibility) == filled.reference.counts(visibility)
