"""Addresses of pages."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

BATCHES = "/batches"


def batch_url(batch_id: str, below: str = "", **query: str | int | None) -> str:
    """Return the page of a batch, or what lies below it; `.` and `..`, which clients remove, go into the query."""
    given: dict[str, str | int] = {name: value for name, value in query.items() if value is not None}
    if batch_id in {".", ".."}:
        return _with_query(f"/batch{below}", {**given, "batch_id": batch_id})
    return _with_query(f"{BATCHES}/{quote(batch_id, safe='')}{below}", given)


def api_url(batch_id: str, resource: str = "") -> str:
    """Return the address of a batch, or of what belongs to it, in the HTTP interface."""
    below = f"/{resource}" if resource else ""
    if batch_id in {".", ".."}:
        return f"/v1/batches{below}?{urlencode({'batch_id': batch_id})}"
    return f"/v1/batches/{quote(batch_id, safe='')}{below}"


def decision_url(batch_id: str, version: int) -> str:
    """Return the page of the decision that led to `version`."""
    return batch_url(batch_id, f"/decisions/{version}")


def list_url(query: Mapping[str, str | Sequence[str]] | None = None, **more: str | Sequence[str]) -> str:
    """Return the list of batches that a query selects."""
    return _with_query(BATCHES, dict(query or {}) | more)


def _with_query(path: str, query: Mapping[str, str | int] | Mapping[str, str | Sequence[str]]) -> str:
    return f"{path}?{urlencode(query, doseq=True)}" if query else path
