"""What is wrong with batches outside their status records: open dead letters, and breaks in a chain of versions."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from schemas.internal.dead_letters import OPEN
from state.projection import tables
from state.projection.batch_rows import Trouble, attention
from state.projection.sql import CHUNK, select_by_batch
from state.projection.tallies import Tallies

_CHANGE = (
    update(tables.batches)
    .where(tables.batches.c.batch_id == bindparam("of"))
    .values(attention=bindparam("why"), attention_until_ms=bindparam("until_ms"))
)


def troubled(connection: Connection, batch_ids: Collection[str]) -> Trouble:
    """Return which of these batches have a chain break, and which an open dead letter."""
    breaks, letters = tables.chain_breaks.c, tables.dead_letters.c
    return Trouble(
        chain_breaks=_among(connection, breaks.batch_id, batch_ids),
        dead_letters=_among(connection, letters.batch_id, batch_ids, letters.state == OPEN),
    )


def follow_trouble(connection: Connection, batch_ids: Iterable[str], tallies: Tallies) -> None:
    """Bring the need for a person of these batches up to date, after breaks and dead letters of theirs came or went."""
    ids = sorted(batch_ids)
    if not ids:
        return
    trouble, changed = troubled(connection, ids), []
    for row in select_by_batch(connection, tuple(tables.batches.columns), ids):
        why, until_ms = attention(
            row.batch_id,
            trouble,
            held=row.held,
            stalled=row.stalled,
            missed=row.missed,
            status=row.status,
            ended_ms=row.ended_ms,
        )
        if (why, until_ms) != (row.attention, row.attention_until_ms):
            tallies.add_attention(row, -1)
            tallies.add_attention(_Attention(row, why, until_ms))
            changed.append({"of": row.batch_id, "why": why, "until_ms": until_ms})
    if changed:
        connection.execute(_CHANGE, changed)


class _Attention:
    """A row of `batches` with another need for a person."""

    def __init__(self, row: Any, why: str | None, until_ms: int | None) -> None:
        self.owner_organisation, self.owner_subject = row.owner_organisation, row.owner_subject
        self.attention, self.attention_until_ms = why, until_ms


def _among(
    connection: Connection, batch_id: ColumnElement[str], batch_ids: Collection[str], *wanted: ColumnElement[bool]
) -> frozenset[str]:
    ids, found = list(batch_ids), set[str]()
    for start in range(0, len(ids), CHUNK):
        query = select(batch_id).where(batch_id.in_(ids[start : start + CHUNK]), *wanted).distinct()
        found.update(connection.execute(query).scalars())
    return frozenset(found)
