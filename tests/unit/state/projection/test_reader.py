"""What the reader answers."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from schemas.errors import InvalidCursor, ProjectionError
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.enums import BatchStatus, Disposition, PhaseReason, PhaseStatus
from schemas.internal.history import NO_VERSION
from state.projection import EVERYTHING, BatchFilter, LetterFilter, Reader, Visibility, Writer, open_engine
from tests.unit.state.projection.log import T0, Log, batch_id, history, letter, status


@pytest.fixture
def log() -> Log:
    return Log()


def listed(reader: Reader, filters: BatchFilter, visibility: Visibility = EVERYTHING, limit: int = 2) -> list[int]:
    """The numbers of the batches that fit, over all pages."""
    return [number for page in pages(reader, filters, visibility, limit) for number in page]


def pages(reader: Reader, filters: BatchFilter, visibility: Visibility, limit: int) -> Iterator[list[int]]:
    cursor = None
    while True:
        page = reader.list(filters, visibility, cursor=cursor, limit=limit)
        yield [int(batch.batch_id[:8]) for batch in page.batches]
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def test_a_list_shows_the_newest_first_page_by_page(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply([log.write(status(number, number)) for number in range(1, 6)])
    assert list(pages(reader, BatchFilter(), Visibility(), 2)) == [[5, 4], [3, 2], [1]]
    assert list(pages(reader, BatchFilter(), Visibility(), 5)) == [[5, 4, 3, 2, 1]]


def test_batches_of_the_same_moment_are_neither_lost_nor_repeated(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply([log.write(status(number, number, registered_ms=T0)) for number in range(1, 8)])
    assert listed(reader, BatchFilter()) == [7, 6, 5, 4, 3, 2, 1]


def test_a_batch_registered_between_two_pages_changes_nothing_of_the_rest(
    log: Log, writer: Writer, reader: Reader
) -> None:
    writer.apply([log.write(status(number, number)) for number in range(1, 5)])
    first = reader.list(limit=2)
    writer.apply([log.write(status(9, 9))])
    rest = reader.list(cursor=first.next_cursor, limit=2)
    assert [batch.batch_id for batch in rest.batches] == [batch_id(2), batch_id(1)]


def test_words_that_a_newer_version_writes_are_shown_as_their_text(log: Log, writer: Writer, reader: Reader) -> None:
    view = replace(status(1, 1).phases["spellcheck"], status=PhaseStatus("resting"), reason=PhaseReason("tired"))
    known = status(1, 1)
    snapshot = replace(known, status=BatchStatus("suspended"), phases={**known.phases, "spellcheck": view})
    writer.apply([log.write(snapshot)])
    (listed,) = reader.list().batches
    assert listed.status == "suspended"
    assert listed.phases["spellcheck"].status == "resting"
    assert reader.get(batch_id(1)) == snapshot
    assert reader.counts().batches == {"suspended": 1}
    assert reader.counts().phases["spellcheck"] == {"resting": 1}


DONE = {"spellcheck": replace(status(1, 1).phases["spellcheck"], status=PhaseStatus.COMPLETED_SUCCESSFULLY)}
SIX = [
    status(1, 1),
    status(2, 2, BatchStatus.CANCELLED, user_id="ann"),
    status(3, 3, BatchStatus.FAILED_CRITICALLY, user_id="ann", org_id="school"),
    status(4, 4, course_code_given="SV1", owner_subject="ann", owner_organisation="school"),
    status(5, 5, phases=DONE, owner_subject="bo", owner_organisation="school"),
    status(6, 6, user_id=None, registered_ms=T0 + 60),
]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (BatchFilter(), [6, 5, 4, 3, 2, 1]),
        (BatchFilter(status=(BatchStatus.CANCELLED,)), [2]),
        (BatchFilter(status=(BatchStatus.CANCELLED, BatchStatus.FAILED_CRITICALLY)), [3, 2]),
        (BatchFilter(user="ann"), [3, 2]),
        (BatchFilter(user="ann", organisation="school"), [3]),
        (BatchFilter(course="SV1"), [4]),
        (BatchFilter(owner="bo"), [5]),
        (BatchFilter(created_from_ms=T0 + 3, created_before_ms=T0 + 5), [4, 3]),
        (BatchFilter(phase="spellcheck", phase_status=PhaseStatus.DISPATCH_INITIATED), [6, 4, 3, 2, 1]),
        (BatchFilter(phase="spellcheck", phase_status=PhaseStatus.COMPLETED_SUCCESSFULLY), [5]),
        (BatchFilter(phase="cj_assessment"), [6, 4, 3, 2, 1]),
        (BatchFilter(phase_status=PhaseStatus.COMPLETED_SUCCESSFULLY), [5]),
        (BatchFilter(phase="cj_assessment", phase_status=PhaseStatus.FAILED), []),
    ],
)
def test_a_list_holds_what_fits_every_filter(
    filters: BatchFilter, expected: list[int], log: Log, writer: Writer, reader: Reader
) -> None:
    writer.apply(log.write_all(*SIX))
    assert listed(reader, filters) == expected


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        (Visibility(), [6, 5, 4, 3, 2, 1]),
        (Visibility(owner_organisation="school"), [5, 4]),
        (Visibility(owner_subject="ann", owner_organisation="school"), [4]),
        (Visibility(owner_subject="ann", owner_organisation=""), []),
    ],
)
def test_a_caller_sees_only_what_is_theirs(
    visibility: Visibility, expected: list[int], log: Log, writer: Writer, reader: Reader
) -> None:
    writer.apply(log.write_all(*SIX))
    assert listed(reader, BatchFilter(), visibility) == expected
    seen = [number for number in range(6, 0, -1) if reader.get(batch_id(number), visibility) is not None]
    assert seen == expected


def test_a_list_holds_the_snapshots_themselves(log: Log, writer: Writer, reader: Reader) -> None:
    snapshot = status(1, 5, org_id="school", reason="no_essays", ended_ms=T0 + 9)
    writer.apply([log.write(snapshot)])
    assert reader.list().batches == (reader.get(batch_id(1)),)


def test_history_is_in_the_order_of_the_inbox_and_goes_on_after_a_cursor(
    log: Log, writer: Writer, reader: Reader
) -> None:
    records = [history(1, 5, 5, NO_VERSION), history(1, 7, 5, 5), history(1, 9, 9, 5)]
    writer.apply(log.write_all(*records, history(2, 6, 6, NO_VERSION)))
    first = reader.history(batch_id(1), limit=2)
    assert list(first.records) == records[:2]
    rest = reader.history(batch_id(1), after=first.next_cursor)
    assert list(rest.records) == records[2:]
    writer.apply(log.write_all(history(1, 11, 9, 9)))
    assert [record.offset for record in reader.history(batch_id(1), after=rest.next_cursor).records] == [11]


def test_history_can_be_limited_to_dispositions(log: Log, writer: Writer, reader: Reader) -> None:
    applied, stale = history(1, 5, 5, NO_VERSION), history(1, 7, 5, 5)
    writer.apply(log.write_all(applied, stale))
    assert reader.history(batch_id(1), dispositions=(Disposition.APPLIED,)).records == (applied,)
    assert reader.history(batch_id(1), dispositions=(Disposition.STALE,)).records == (stale,)


def test_a_cursor_with_a_number_that_no_column_holds_is_refused(reader: Reader) -> None:
    cursor = urlsafe_b64encode(b"[%d,1,1]" % 2**70).decode()
    with pytest.raises(InvalidCursor):
        reader.history(batch_id(1), after=cursor)


def test_a_batch_without_history_has_an_empty_page(reader: Reader) -> None:
    page = reader.history(batch_id(1))
    assert (page.records, page.next_cursor) == ((), None)


def test_a_request_is_found_by_what_was_first_decided_on_it(log: Log, writer: Writer, reader: Reader) -> None:
    first = history(1, 5, 5, NO_VERSION, request_id="r1", kind="register")
    again = history(1, 9, 5, 5, request_id="r1", kind="register")
    writer.apply(log.write_all(first, again, letter(3, request_id="r2")))
    assert reader.by_request("r1").decided == first
    assert reader.by_request("r1").dead_letter is None
    trace = reader.by_request("r2")
    assert trace.decided is None
    assert trace.dead_letter is not None
    assert trace.dead_letter.letter.first.offset == 3


def test_a_dead_letter_is_read_back_as_it_was_written(log: Log, writer: Writer, reader: Reader) -> None:
    written = log.write(letter(3, request_id="r2"))
    writer.apply([written])
    expected = parse_dead_letter(written.key, dict(written.headers), written.value)
    found = reader.dead_letter(expected.dead_letter_id)
    assert found is not None
    assert (found.letter, found.state, found.time_ms) == (expected, "open", written.time_ms)
    assert reader.dead_letter("another") is None


def test_dead_letters_are_listed_and_filtered_without_their_values(log: Log, writer: Writer, reader: Reader) -> None:
    letters = [letter(number, code="ORC-A" if number % 2 else "ORC-B") for number in range(5)]
    writer.apply(log.write_all(*letters))
    seen: list[int] = []
    cursor = None
    while True:
        page = reader.dead_letters(cursor=cursor, limit=2)
        assert all(stored.letter.value is None for stored in page.letters)
        seen += [stored.letter.first.offset for stored in page.letters]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert {stored.letter.first.offset for stored in reader.dead_letters(LetterFilter(code="ORC-A")).letters} == {1, 3}
    assert reader.dead_letters(LetterFilter(topic="another")).letters == ()
    assert len(reader.dead_letters(LetterFilter(state="open", topic="requests")).letters) == 5


@pytest.mark.parametrize("cursor", ["", "nonsense", "W10", "WyJhIiwgMV0", "ä"])
def test_a_foreign_cursor_is_refused(cursor: str, reader: Reader) -> None:
    with pytest.raises(InvalidCursor):
        reader.list(cursor=cursor)
    with pytest.raises(InvalidCursor):
        reader.history(batch_id(1), after=cursor)
    with pytest.raises(InvalidCursor):
        reader.dead_letters(cursor=cursor)


def test_a_reader_waits_for_the_schema(engine: Engine) -> None:
    reader = Reader(engine)
    assert not reader.ready()
    with pytest.raises(ProjectionError):
        reader.offsets()


def test_a_database_that_cannot_be_reached_is_said_to_be(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for url in (f"sqlite:///{missing}/projection.db", f"postgresql://nobody@/none?host={missing}"):
        engine = open_engine(url)
        with pytest.raises(ProjectionError, match="cannot be read"):
            Reader(engine).ready()
        engine.dispose()
