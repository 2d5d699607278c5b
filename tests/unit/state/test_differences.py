"""Differences of JSON values."""

from typing import Any

import pytest

from state.differences import FieldChange, differences

CASES: list[tuple[Any, Any, list[tuple[str, Any, Any]]]] = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1}, {"a": 2, "b": None}, [("a", 1, 2)]),
    ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [("a.b.c", 1, 2)]),
    ({"a": 1}, {}, [("a", 1, None)]),
    ({"a": None}, {"a": {"b": 1}}, [("a", None, {"b": 1})]),
    ({"a": [1, 2]}, {"a": [1, 3]}, [("a", [1, 2], [1, 3])]),
    (
        {"deadlines": [{"kind": "stalled", "phase": "a", "attempt": 1, "due_at": "x"}]},
        {"deadlines": [{"kind": "stalled", "phase": "a", "attempt": 1, "due_at": "y"}]},
        [("deadlines[stalled/a/1].due_at", "x", "y")],
    ),
    (
        {"failed_essays": []},
        {"failed_essays": [{"essay_id": "e", "phase": "a", "reason": "failed"}]},
        [("failed_essays[e/a]", None, {"essay_id": "e", "phase": "a", "reason": "failed"})],
    ),
    ({"l": [{"essay_id": "e", "phase": "a"}] * 2}, {"l": []}, [("l", [{"essay_id": "e", "phase": "a"}] * 2, [])]),
]


@pytest.mark.parametrize(("before", "after", "found"), CASES)
def test_every_value_that_differs_is_named(before: Any, after: Any, found: list[tuple[str, Any, Any]]) -> None:
    assert differences(before, after) == tuple(FieldChange(*each) for each in found)


def test_the_order_of_a_list_of_records_is_no_difference() -> None:
    one, two = ({"kind": kind, "phase": "a", "attempt": 1} for kind in ("stalled", "phase"))
    assert differences([one, two], [two, one]) == ()
