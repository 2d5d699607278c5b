"""Removing what the topics themselves no longer hold, some rows at a time."""

from collections.abc import Iterator

from sqlalchemy import Connection, Table, delete, select, tuple_

from state.projection import tables

PRUNED_ROWS = 2_000
"""Rows removed in one transaction: what others wait for at most, since SQLite has one writer at a time."""


def prune_some(connection: Connection, now_ms: int, retention_ms: int) -> bool:
    """Remove up to `PRUNED_ROWS` rows of old history, dead letters and marks of purges; return if it were as many."""
    removed = 0
    for table, before_ms in _old(now_ms, retention_ms):
        removed += _delete(connection, table, before_ms, PRUNED_ROWS - removed)
        if removed >= PRUNED_ROWS:
            return True
    return False


def _old(now_ms: int, retention_ms: int) -> Iterator[tuple[Table, int]]:
    before_ms = now_ms - retention_ms
    for table in (tables.history, tables.dead_letters, tables.chain_heads, tables.unreadable):
        yield table, before_ms
    # The status topic keeps a tombstone for as long, and compaction may come later: twice is safe.
    yield tables.purges, before_ms - retention_ms


def _delete(connection: Connection, table: Table, before_ms: int, limit: int) -> int:
    keys = tuple(table.primary_key.columns)
    oldest = select(*keys).where(table.c.time_ms < before_ms).order_by(table.c.time_ms).limit(limit)
    chosen = tuple_(*keys).in_(oldest) if len(keys) > 1 else keys[0].in_(oldest)
    return connection.execute(delete(table).where(chosen)).rowcount
