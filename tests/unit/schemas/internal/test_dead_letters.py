"""A dead letter keeps the record and says in its headers what is known; its readers get it back whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UnreadableRecord
from schemas.internal.dead_letters import MAX_REASON, MAX_TRACEBACK, dead_letter, parse_dead_letter
from schemas.internal.outgoing import RecordPosition

places = st.builds(
    RecordPosition,
    topic=st.text(min_size=1),
    partition=st.integers(0, 99),
    offset=st.integers(0, 2**60),
    time_ms=st.integers(0),
)
whole_text = st.text(st.characters(codec="utf-8"))


@given(
    st.none() | st.binary(),
    st.none() | st.binary(),
    places.filter(lambda place: place.topic.isprintable()),
    whole_text,
    st.none() | whole_text,
    whole_text,
    st.booleans(),
)
def test_it_is_read_as_it_was_written(
    value: bytes | None,
    key: bytes | None,
    first: RecordPosition,
    reason: str,
    request_id: str | None,
    traceback: str,
    wrapped: bool,  # noqa: FBT001
) -> None:
    outgoing = dead_letter(
        value=value,
        key=key,
        first=first,
        code="ORC-FIELDS",
        reason=reason,
        request_id=request_id,
        traceback=traceback,
        wrapped=wrapped,
    )
    letter = parse_dead_letter(outgoing.key, dict(outgoing.headers), outgoing.value)
    assert (letter.value, letter.key, letter.first, letter.code) == (value, key, first, "ORC-FIELDS")
    assert (letter.reason, letter.request_id, letter.traceback) == (reason, request_id, traceback)
    assert letter.wrapped == wrapped
    assert letter.dead_letter_id.encode() == outgoing.key


def test_repeats_of_a_record_coincide() -> None:
    first = RecordPosition("t", 1, 2, 3)
    one = dead_letter(value=b"a", key=None, first=first, code="ORC-X", reason="now")
    other = dead_letter(value=b"a", key=b"k", first=RecordPosition("t", 1, 2, 9), code="ORC-Y", reason="later")
    assert one.key == other.key


def test_long_words_are_shortened_and_the_end_of_a_traceback_is_kept() -> None:
    outgoing = dead_letter(
        value=None,
        key=None,
        first=RecordPosition("t", 1, 2),
        code="ORC-X",
        reason="r" * 9_999,
        traceback="x" * 9_999 + "the end",
    )
    letter = parse_dead_letter(outgoing.key, dict(outgoing.headers), None)
    assert len(letter.reason) == MAX_REASON
    assert len(letter.traceback) == MAX_TRACEBACK
    assert letter.traceback.endswith("the end")


@pytest.mark.parametrize("missing", ["first_topic", "first_partition", "first_offset", "code", "reason"])
def test_damaged_headers_are_a_clear_error(missing: str) -> None:
    outgoing = dead_letter(value=b"v", key=None, first=RecordPosition("t", 1, 2), code="ORC-X", reason="r")
    headers = {name: value for name, value in outgoing.headers if name != missing}
    with pytest.raises(UnreadableRecord, match="headers"):
        parse_dead_letter(outgoing.key, headers, outgoing.value)
    with pytest.raises(UnreadableRecord):
        parse_dead_letter(outgoing.key, {**dict(outgoing.headers), missing: b"\xff"}, outgoing.value)
