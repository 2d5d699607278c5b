"""The quick way to the canonical form and the authority's give the same bytes, or the same refusal."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.public.canonical_json import canonical_json

TEXTS = st.text(st.sampled_from('azA/"\\\x00\x1f\x7f\x80é€\U0001f600\ue000\n\u2028<')) | st.text()
NUMBERS = st.integers(-(2**53) - 2, 2**53 + 2) | st.sampled_from([0, 2**53, 2**53 - 1, -(2**53), 2**70]) | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def either(form: Any, document: dict[str, Any]) -> bytes | type[Exception]:
    try:
        return bytes(form(document))
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        return type(error)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
@example({"b": 1, "a": {"d": [True, None, "x"], "c": -5}})
@example({"n": 1.0})
@example({"n": 2**53})
@example({"\ue000": 1, "\U0001f600": 2})
@example({"half": "\ud800"})
def test_both_ways_agree(document: dict[str, Any]) -> None:
    assert either(canonical_json, document) == either(rfc8785.dumps, document)


@pytest.mark.parametrize("space", [None, 2])
def test_spaces_and_order_do_not_matter(space: int | None) -> None:
    document = {"b": [1, {"z": 0, "y": "text"}], "a": None}
    again = json.loads(json.dumps(dict(reversed(document.items())), indent=space))
    assert canonical_json(again) == canonical_json(document) == b'{"a":null,"b":[1,{"y":"text","z":0}]}'
