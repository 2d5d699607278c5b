"""Which items a request to begin an operation is about: its filter as a query with absolute times."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from msgspec.structs import replace

from api.errors import invalid_body
from api.operations import problems
from api.operations.selection import batch_query, letter_query
from api.queries.filters import parse_filter
from schemas.errors import InvalidRequest
from schemas.public.dead_letters import LetterSelection, parse_body
from schemas.public.operations import OperationBody

_MOST_ID_BYTES = 262_144


def operation_query(asked: OperationBody, now_ms: int) -> str:
    """Return the query of the items; empty where they are named one by one.

    Raises `InvalidFilter` for a filter that cannot be used, and `Problem`: 422 for one that fits everything, 400 for
    ids that are too long together.
    """
    if asked.ids is not None:
        if sum(len(item.encode()) for item in asked.ids) > _MOST_ID_BYTES:
            raise problems.too_many_ids(_MOST_ID_BYTES)
        return ""
    given = _values(asked.filter)
    if asked.kind.of_letters:
        return _letters(given)
    filters = parse_filter(given, now_ms=now_ms)
    if filters.empty():
        raise problems.empty_filter()
    # Batches that are registered from now on were not meant.
    before = now_ms + 1 if filters.created_before_ms is None else min(filters.created_before_ms, now_ms + 1)
    return batch_query(replace(filters, created_before_ms=before))


def _letters(given: Mapping[str, list[str]]) -> str:
    found: Any
    try:
        found = parse_body(LetterSelection, {name: values[-1] for name, values in given.items()})
    except InvalidRequest as error:
        raise invalid_body(error) from error
    if found == LetterSelection(state=found.state):
        raise problems.empty_filter()
    return letter_query(found)


def _values(given: Mapping[str, Any] | str | None) -> dict[str, list[str]]:
    """Return names with their values, from an object or from the query of a URL."""
    if given is None:
        return {}
    if isinstance(given, str):
        return parse_qs(given.removeprefix("?"), keep_blank_values=True)
    return {name: _texts(value) for name, value in given.items()}


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    return [("yes" if value else "no") if isinstance(value, bool) else str(value)]
