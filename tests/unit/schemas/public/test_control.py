"""Bodies of requests to control a batch: what is taken, and what is refused before it is written."""

from typing import Any

import pytest

from schemas.errors import InvalidRequest
from schemas.limits import Limits
from schemas.public.control import RetryBody, parse_control
from schemas.public.requests import RequestKind

LIMITS = Limits(essays=2)


@pytest.mark.parametrize("kind", [RequestKind.CANCEL, RequestKind.PAUSE, RequestKind.RESUME])
def test_a_body_may_be_empty_and_null_is_absent(kind: RequestKind) -> None:
    for body in ({}, {"reason": None, "if_version": None}):
        parsed = parse_control(kind, body, LIMITS)
        assert (parsed.reason, parsed.if_version) == ("", None)


@pytest.mark.parametrize(
    ("essays", "selection"),
    [(None, "failed"), ("failed", "failed"), ("all", "all"), (["b", "a"], ("b", "a")), (["a"] * 9 + ["b"], ("a", "b"))],
)
def test_a_retry_names_its_essays(essays: Any, selection: Any) -> None:
    parsed = parse_control(RequestKind.RETRY, {"phase": "nlp", "essays": essays}, LIMITS)
    assert isinstance(parsed, RetryBody)
    assert parsed.selection == selection


def test_a_version_is_a_whole_number_however_it_is_written() -> None:
    assert parse_control(RequestKind.PAUSE, {"if_version": 7.0}, LIMITS).if_version == 7


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x" * 501}, "reason"),
        ({"reason": 0}, "reason"),
        ({"if_version": -1}, "if_version"),
        ({"if_version": 2**53}, "if_version"),
        ({"if_version": "7"}, "if_version"),
        ({"if_version": True}, "if_version"),
        ({"if_version": 7.5}, "if_version"),
        ({"phase": ""}, "phase"),
        ({"phase": None}, "phase"),
        ({"phase": "a\x00b"}, "phase"),
        ({"essays": []}, "essays"),
        ({"essays": "some"}, "essays"),
        ({"essays": [""]}, "essays"),
        ({"essays": ["a\x9fb"]}, "essays"),
        ({"essays": ["a", "b", "c"]}, "essays"),
    ],
)
def test_a_fault_names_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_control(RequestKind.RETRY, {"phase": "nlp", **body}, LIMITS)
    assert caught.value.details[0]["loc"][0] == field
    assert field in caught.value.message
