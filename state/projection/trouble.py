"""What is wrong with batches outside their status records: open dead letters, and breaks in a chain of versions."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, update

from schemas.internal.dead_letters import OPEN
from state.projection import tables
from state.projection.batch_rows import BatchRow, Trouble, attention
from state.projection.sql import select_by_batch
from state.projection.tallies import Tallies, owner_of

_COLUMNS = tuple(tables.batches.columns)
_CHANGE = (
    update(tables.batches)
    .where(tables.batches.c.batch_id == bindparam("of"))
    .values(attention=bindparam("why"), attention_until_ms=bindparam("until_ms"))
)


def troubled(connection: Connection, batch_ids: Collection[str]) -> Trouble:
    """Return which of these batches have a chain break, and which an open dead letter."""
    breaks, letters = tables.chain_breaks.c, tables.dead_letters.c
    return Trouble(
        chain_breaks=frozenset(row[0] for row in select_by_batch(connection, (breaks.batch_id,), batch_ids)),
        dead_letters=frozenset(
            batch_id
            for batch_id, state in select_by_batch(connection, (letters.batch_id, letters.state), batch_ids)
            if state == OPEN
        ),
    )


def follow_trouble(connection: Connection, batch_ids: Iterable[str], tallies: Tallies) -> None:
    """Bring the need for a person of these batches up to date, after breaks and dead letters of theirs came or went."""
    ids = sorted(batch_ids)
    if not ids:
        return
    trouble, changed = troubled(connection, ids), []
    for row in map(BatchRow._make, select_by_batch(connection, _COLUMNS, ids)):
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
            owner = owner_of(row)
            tallies.change_attention(owner, row.attention, row.attention_until_ms, -1)
            tallies.change_attention(owner, why, until_ms, 1)
            changed.append({"of": row.batch_id, "why": why, "until_ms": until_ms})
    if changed:
        connection.execute(_CHANGE, changed)
