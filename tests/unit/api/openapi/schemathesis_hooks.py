"""What the schema of a registration cannot say. Loaded by schemathesis, not by pytest.

`expected_essay_count` counts `essay_ids`; and a body has a canonical form, so that every integer in it, in members
that nobody knows too, is within 2**53. `If-Match` and `if_version` name the same version.
`after` is a cursor that the list gave. An operation has a filter of known names or ids, and a phase if it is a retry.

With BOS_TEST_CREDENTIALS, a JSON list, each request has one of these credentials or none, always the same one.
"""

import json
import os
import zlib
from typing import Any

import schemathesis

_CREDENTIALS: list[str | None] = json.loads(os.environ.get("BOS_TEST_CREDENTIALS", "[]"))
_LARGEST = 2**53 - 1
_CURSOR = 200


if _CREDENTIALS:

    @schemathesis.auth(refresh_interval=None)
    class Credential:
        """Chooses by what is asked, so that a repeat of a request has its credential."""

        def get(self, case: Any, _: Any) -> str | None:
            asked = repr((case.method, case.path, case.path_parameters, case.query, case.body))
            return _CREDENTIALS[zlib.crc32(asked.encode("utf-8", "replace")) % len(_CREDENTIALS)]

        def set(self, case: Any, data: str, _: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    for name in ("after", "cursor"):  # a text that fits the schema is not yet a cursor of the list
        if isinstance(case.query, dict) and isinstance(case.query.get(name), str) and len(case.query[name]) <= _CURSOR:
            case.query = {key: value for key, value in case.query.items() if key != name}
    if not isinstance(case.body, dict):
        return
    body = case.body = _within_range(case.body)
    if "If-Match" in (case.headers or {}) and type(body.get("if_version")) in (int, float):
        body = case.body = {name: value for name, value in body.items() if name != "if_version"}
    if "action" in body:
        body = case.body = _operation(body)
    ids = body.get("essay_ids")
    if isinstance(ids, list) and ids and _counts(body.get("expected_essay_count")):
        case.body = {**body, "expected_essay_count": len(ids)}


def _operation(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an operation as its rules want it, where each member fits its schema."""
    found = dict(body)
    chosen, ids, retry = found.get("filter"), found.get("ids"), found["action"] == "retry"
    if isinstance(chosen, str) or (isinstance(chosen, dict) and all(map(_is_filter_value, chosen.values()))):
        letters = found["action"] in {"replay-dead-letters", "discard-dead-letters"}
        found["filter"] = {"code": "ORC-BAD-JSON"} if letters else {"course": "ENG5"}
        if isinstance(ids, list):
            del found["ids"]
    if retry and found.get("phase") is None:
        found["phase"] = "spellcheck"
    if not retry and isinstance(found.get("phase"), str):
        del found["phase"]
    return found


def _is_filter_value(value: Any) -> bool:
    texts = value if isinstance(value, list) and value else [value]
    return isinstance(value, bool) or all(isinstance(each, str) for each in texts)


def _counts(value: Any) -> bool:
    """Whether the schema takes the value: one that it refuses must stay as it is."""
    if isinstance(value, str):
        return value.isdigit() and value.isascii() and 0 < len(value) <= 3 and value[0] != "0"
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and 0 < value <= 5_000


def _within_range(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _within_range(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_within_range(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_LARGEST, min(value, _LARGEST))
    return value
