"""Requests to control batches, as the page of operations shows them."""

from collections.abc import Iterable
from itertools import groupby

from msgspec import Struct

from api.dashboard.views.decisions import decision_row
from api.dashboard.views.links import batch_url
from api.dashboard.views.words import Tone, counted, short_id
from schemas.internal.history import HistoryRecord


class RequestRow(Struct, frozen=True, kw_only=True):
    """A request to control a batch, or several alike in a row, as a bulk operation makes them."""

    tone: Tone
    title: str
    sentence: str
    by: str
    time_ms: int
    """Of the newest."""
    count: int
    short: str
    """Of the newest one's batch."""
    batch_url: str
    url: str
    """The page of the newest one's decision."""


def request_rows(records: Iterable[HistoryRecord]) -> tuple[RequestRow, ...]:
    """Return requests, the newest first, with those of one caller that had one result in a row together."""
    return tuple(
        _request_row(next(alike), 1 + sum(1 for _ in alike)) for _, alike in groupby(records, key=_what_was_asked)
    )


def _what_was_asked(record: HistoryRecord) -> tuple[str, str, str, str]:
    return (record.kind, record.disposition, record.reason.code, "" if record.actor is None else record.actor.subject)


def _request_row(newest: HistoryRecord, count: int) -> RequestRow:
    decision = decision_row(newest)
    return RequestRow(
        tone=decision.tone,
        title=f"{newest.kind.capitalize()} {counted(count, 'batch', 'batches')}"
        if count > 1
        else newest.kind.capitalize(),
        sentence=decision.sentence,
        by=decision.by,
        time_ms=decision.time_ms,
        count=count,
        short=short_id(newest.batch_id),
        batch_url=batch_url(newest.batch_id),
        url=decision.url,
    )
