"""What a schema cannot say: expected_essay_count counts essay_ids. Loaded by schemathesis, not by pytest."""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    body = case.body
    ids = body.get("essay_ids") if isinstance(body, dict) else None
    if isinstance(ids, list) and ids and _counts(body.get("expected_essay_count")):
        case.body = {**body, "expected_essay_count": len(ids)}


def _counts(value: Any) -> bool:
    """Whether the schema takes the value: one that it refuses must stay as it is."""
    if isinstance(value, str):
        return value.isdigit() and value.isascii() and 0 < len(value) <= 3 and value[0] != "0"
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and 0 < value <= 5_000
