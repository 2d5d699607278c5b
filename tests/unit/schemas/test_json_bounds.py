"""The number of values is never counted too low, and texts do not count."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.json_bounds import MAX_DEPTH, count_values, nested_too_deep

documents = st.recursive(
    st.none() | st.integers() | st.text(alphabet='",[{\\x'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='",[{\\'), inner),
    max_leaves=20,
)


def values(document: Any) -> int:
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return 1 + sum(values(item) for item in inner)


@given(documents, st.sampled_from([None, 1]))
def test_the_count_is_an_upper_bound(document: Any, indent: int | None) -> None:
    counted = count_values(json.dumps(document, indent=indent).encode())
    assert values(document) <= counted <= 2 * values(document)


def test_depth_is_counted_from_the_outermost() -> None:
    document: Any = {}
    for _ in range(MAX_DEPTH - 1):
        document = [document]
    assert not nested_too_deep(document)
    assert nested_too_deep([document])
