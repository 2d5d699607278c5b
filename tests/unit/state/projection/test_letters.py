"""Dead letters and what was done with them: the newest fault counts, and an operator's act for that fault alone."""

import json

import pytest

from schemas.internal.dead_letters import dead_letter
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from state.projection import LetterFilter, ProjectedRecord, Reader, StoredLetter, Writer
from tests.unit.state.projection.log import Log, handled, letter


@pytest.fixture
def log() -> Log:
    return Log()


def the_only(reader: Reader) -> StoredLetter:
    [listed] = reader.dead_letters().letters
    found = reader.dead_letter(listed.letter.dead_letter_id)
    assert found is not None
    return found


def about(batch_id: str, offset: int, *, wrapped: bool) -> OutgoingRecord:
    value = b"inbox" if wrapped else json.dumps({"data": {"batch_id": batch_id}}).encode()
    return dead_letter(
        value=value,
        key=batch_id.encode() if wrapped else b"any",
        first=RecordPosition("outcomes", 0, offset),
        code="ORC-X",
        reason="r",
        wrapped=wrapped,
    )


def test_what_was_done_with_a_letter_is_read_back(log: Log, writer: Writer, reader: Reader) -> None:
    open_letter = log.write(letter(4))
    writer.apply([open_letter, log.write(handled(open_letter, "discarded", note="a test of the peer"))])
    found = the_only(reader)
    assert (found.state, found.time_ms, found.letter.code) == ("discarded", open_letter.time_ms, "ORC-UNREADABLE")
    assert found.letter.handled is not None
    assert (found.letter.handled.by, found.letter.handled.note) == ("operator-1", "a test of the peer")
    assert found.letter.value == open_letter.value


def test_the_value_stays_where_the_record_of_the_act_could_not_hold_it(
    log: Log, writer: Writer, reader: Reader
) -> None:
    open_letter = log.write(letter(4))
    writer.apply([open_letter, log.write(handled(open_letter, "replayed", value=None))])
    assert the_only(reader).letter.value == open_letter.value


def test_a_replay_that_fails_again_is_open_with_the_newer_fault(log: Log, writer: Writer, reader: Reader) -> None:
    open_letter = log.write(letter(4))
    writer.apply([open_letter, log.write(handled(open_letter, "replayed"))])
    writer.apply([log.write(letter(4, code="ORC-OTHER"))])
    found = the_only(reader)
    assert (found.state, found.letter.code, found.letter.handled) == ("open", "ORC-OTHER", None)


def test_an_act_on_a_fault_that_was_overtaken_changes_nothing(log: Log, writer: Writer, reader: Reader) -> None:
    old, newer = log.write_all(letter(4), letter(4, code="ORC-OTHER"))
    writer.apply([old, newer, log.write(handled(old, "discarded"))])
    found = the_only(reader)
    assert (found.state, found.letter.code) == ("open", "ORC-OTHER")


def test_an_act_whose_letter_retention_has_removed_is_the_letter(log: Log, writer: Writer, reader: Reader) -> None:
    open_letter = log.write(letter(4))
    writer.apply([log.write(handled(open_letter, "discarded"))])
    found = the_only(reader)
    assert (found.state, found.time_ms, found.letter.value) == ("discarded", open_letter.time_ms, open_letter.value)


def test_a_later_act_on_the_same_fault_replaces_the_earlier(log: Log, writer: Writer, reader: Reader) -> None:
    open_letter = log.write(letter(4))
    acts = log.write_all(handled(open_letter, "discarded"), handled(open_letter, "replayed"))
    writer.apply([open_letter, *acts])
    writer.apply(acts[:1])
    assert the_only(reader).state == "replayed"


def test_letters_are_found_by_batch_time_and_state(log: Log, writer: Writer, reader: Reader) -> None:
    written: list[ProjectedRecord] = log.write_all(
        about("one", 1, wrapped=True), about("one", 2, wrapped=False), about("two", 3, wrapped=False), letter(4)
    )
    writer.apply([*written, log.write(handled(written[2], "discarded"))])

    def offsets(filters: LetterFilter) -> set[int]:
        return {found.letter.first.offset for found in reader.dead_letters(filters).letters}

    assert offsets(LetterFilter(batch_id="one")) == {1, 2}
    assert offsets(LetterFilter(state="discarded")) == {3}
    assert offsets(LetterFilter(state="open")) == {1, 2, 4}
    middle = sorted(record.time_ms for record in written)[2]
    assert offsets(LetterFilter(since_ms=middle)) | offsets(LetterFilter(until_ms=middle)) == {1, 2, 3, 4}
    assert not offsets(LetterFilter(since_ms=middle)) & offsets(LetterFilter(until_ms=middle))
    assert reader.count_dead_letters(LetterFilter(topic="outcomes")) == 3
    ids = reader.dead_letter_ids(LetterFilter(topic="outcomes"), limit=9)
    assert set(ids) == {record.key.decode() for record in written[:3] if record.key}
    assert reader.dead_letter_ids(LetterFilter(topic="outcomes"), limit=2) == ids[:2]


def test_letters_are_grouped_by_code_and_topic(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply(log.write_all(about("one", 1, wrapped=True), about("one", 2, wrapped=False), letter(4)))
    groups = reader.dead_letter_groups()
    assert [(group.code, group.topic, group.count) for group in groups] == [
        ("ORC-X", "outcomes", 2),
        ("ORC-UNREADABLE", "requests", 1),
    ]
    assert groups[0].first_ms <= groups[0].last_ms
