"""The names and values of a filter in a URL."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.queries.filters import FLAGS, LONGEST_VALUE, NAMES, SINCE, TEXTS, TIMES, Query, filter_query, parse_filter
from schemas.errors import InvalidFilter
from schemas.internal.enums import BatchStatus, PhaseStatus
from state.projection import BatchFilter

NOW = 1_764_000_000_000
END_OF_TIME = 253_402_300_799_999

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=LONGEST_VALUE)
times = st.integers(0, END_OF_TIME)
filters = st.builds(
    BatchFilter,
    status=st.lists(st.sampled_from(BatchStatus), unique=True).map(tuple),
    phase_status=st.none() | st.sampled_from(PhaseStatus),
    **{name: st.none() | texts for name in TEXTS},
    **{name: st.none() | st.booleans() for name in FLAGS},
    **{f"{name}_ms": st.none() | times for name in TIMES},
)


@given(filters)
def test_a_filter_comes_back_from_its_query(wanted: BatchFilter) -> None:
    query = filter_query(wanted)
    assert parse_filter(parse_qs(query, strict_parsing=True) if query else {}) == wanted
    assert wanted.empty() == (query == "")


def test_the_names_are_those_of_the_filter() -> None:
    fields = {name.removesuffix("_ms") for name in BatchFilter.__struct_fields__}
    assert set(NAMES) == fields | {SINCE}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, BatchFilter()),
        ({"status": "cancelled"}, BatchFilter(status=(BatchStatus.CANCELLED,))),
        (
            {"status": ["cancelled,failed_critically", "cancelled"]},
            BatchFilter(status=(BatchStatus.CANCELLED, BatchStatus.FAILED_CRITICALLY)),
        ),
        ({"phase": "nlp", "phase_status": "held"}, BatchFilter(phase="nlp", phase_status=PhaseStatus.HELD)),
        ({"stalled": "Yes", "ended": "0"}, BatchFilter(stalled=True, ended=False)),
        ({"since": "24h"}, BatchFilter(updated_from_ms=NOW - 86_400_000)),
        ({"since": "1h", "updated_from": "2h"}, BatchFilter(updated_from_ms=NOW - 3_600_000)),
        ({"updated_from": "1h", "since": "2h"}, BatchFilter(updated_from_ms=NOW - 3_600_000)),
        ({"created_before": "90s"}, BatchFilter(created_before_ms=NOW - 90_000)),
        ({"created_from": "2025-11-24T14:03:22.120Z"}, BatchFilter(created_from_ms=1_763_993_002_120)),
        ({"created_from": "2025-11-24 14:03:22.120Z"}, BatchFilter(created_from_ms=1_763_993_002_120)),
        ({"created_from": "2025-11-24T15:03:22.120 01:00"}, BatchFilter(created_from_ms=1_763_993_002_120)),
        ({"created_from": "2025-11-24"}, BatchFilter(created_from_ms=1_763_942_400_000)),
        ({"since": "1969-12-31T23:59:59Z"}, BatchFilter(updated_from_ms=0)),
        ({"since": "0001-01-01T00:00:00+23:59"}, BatchFilter(updated_from_ms=0)),
        ({"due_before": "9999-12-31T23:59:59-23:59"}, BatchFilter(due_before_ms=END_OF_TIME)),
        ({"owner": '""'}, BatchFilter(owner="")),
        ({"owner": "", "status": "", "since": ""}, BatchFilter()),
    ],
)
def test_what_a_query_means(query: Query, wanted: BatchFilter) -> None:
    assert parse_filter(query, now_ms=NOW) == wanted


@pytest.mark.parametrize(
    ("query", "name", "told"),
    [
        ({"statsu": "cancelled"}, "statsu", "Did you mean status?"),
        ({"Status": "cancelled"}, "Status", "Did you mean status?"),
        ({"wxyz": ""}, "wxyz", "Use one of status, phase,"),
        ({"x\ny": "1"}, "a name with control characters", "Use one of status"),
        ({"status": "canceled"}, "status", "Did you mean cancelled?"),
        ({"status": "running"}, "status", "Use one of awaiting_content_validation,"),
        ({"phase_status": "done"}, "phase_status", "Use one of pending_dependencies,"),
        ({"stalled": "maybe"}, "stalled", "yes or no"),
        ({"phase": ["nlp", "spellcheck"]}, "phase", "Give it once."),
        ({"since": "yesterday"}, "since", "15m, 24h, 7d"),
        ({"course": "x" * 256}, "course", "Correct"),
        ({"course": "x" * 999}, "course", "Correct"),
        ({"course": "a\x00"}, "course", "Correct"),
    ],
)
def test_what_cannot_be_read_is_never_left_out(query: Query, name: str, told: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        parse_filter(query, now_ms=NOW)
    assert refused.value.name == name
    assert told in refused.value.next_step


def test_a_duration_that_goes_back_before_1970_means_ever() -> None:
    assert parse_filter({"since": "99999w"}, now_ms=NOW) == BatchFilter(updated_from_ms=0)
