"""The HTTP bodies of lists of batches, and of everything known of one (docs/http.md, batches)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from api.paths import batch_path, resource_path
from api.queries.lists import ListPage
from api.routes.letter_response import list_body as letters_body
from api.routes.status_response import status_body
from api.routes.why_response import why_body
from api.times import timestamp
from schemas.internal.status import StatusRecord
from state.projection import LetterPage, StatusCounts
from state.why import Why

ONLY_IN_ONE = ("failed_essays", "file_failures")
"""Members that a list leaves out: a batch can name thousands of essays."""
_RESOURCES = ("status", "why", "history", "replay")


def list_body(page: ListPage, whys: Sequence[Why], counts: StatusCounts | None) -> dict[str, Any]:
    """Return the body of a page of batches, each with why it is where it is.

    `counts` are of all batches that the caller may see.
    """
    body: dict[str, Any] = {
        "batches": [
            _listed(batch, why, page.open_letters.get(batch.batch_id, 0))
            for batch, why in zip(page.batches, whys, strict=True)
        ],
        "next_cursor": page.next_cursor,
        "as_of": timestamp(page.as_of_ms) if page.as_of_ms else None,
        "stale": page.stale,
    }
    return body if counts is None else body | {"counts": msgspec.to_builtins(counts)}


def batch_body(record: StatusRecord, why: Why, open_letters: int | None, letters: LetterPage | None) -> dict[str, Any]:
    """Return everything known of a batch. What is None is not known now, or not for this caller."""
    return status_body(record) | {
        "why": why_body(why),
        "open_dead_letters": open_letters,
        "dead_letters": None if letters is None else letters_body(letters)["dead_letters"],
        "links": links(record.batch_id),
    }


def explained_body(record: StatusRecord, why: Why) -> dict[str, Any]:
    """Return the body of the explanation alone."""
    return {
        "batch_id": record.batch_id,
        "version": record.version,
        "status": record.status.value,
        "why": why_body(why),
        "links": links(record.batch_id),
    }


def links(batch_id: str) -> dict[str, str]:
    """Return the paths of what belongs to a batch."""
    return {
        "self": resource_path(batch_id),
        **{name: batch_path(batch_id, name) for name in _RESOURCES},
        "page": f"/batches/{quote(batch_id, safe='')}",
    }


def _listed(record: StatusRecord, why: Why, open_letters: int) -> dict[str, Any]:
    body = status_body(record)
    for name in ONLY_IN_ONE:
        del body[name]
    return body | {
        "why": why_body(why),
        "open_dead_letters": open_letters,
        "links": {"self": resource_path(record.batch_id)},
    }
