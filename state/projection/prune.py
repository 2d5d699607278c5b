"""Removing what the topics themselves no longer hold, and what has passed, some rows at a time."""

from collections.abc import Callable

from sqlalchemy import Connection, Table, delete, select, tuple_, update

from state.projection import tables
from state.projection.batch_models import DAY_MS, MINUTE_MS
from state.projection.id_runs import prune_ids
from state.projection.tallies import Tallies
from state.projection.trouble import follow_trouble

PRUNED_ROWS = 2_000
"""Rows removed in one transaction: what others wait for at most, since SQLite has one writer at a time."""
Step = Callable[[Connection, int], int]


def prune_some(connection: Connection, now_ms: int, retention_ms: int) -> bool:
    """Remove up to `PRUNED_ROWS` old rows; return if it were as many."""
    before_ms = now_ms - retention_ms
    steps: tuple[Step, ...] = (
        lambda connection, limit: _delete(connection, tables.history, before_ms, limit),
        lambda connection, limit: _prune_trouble(connection, tables.dead_letters, before_ms, limit),
        lambda connection, limit: _prune_trouble(connection, tables.chain_breaks, before_ms, limit),
        lambda connection, limit: _delete(connection, tables.chain_heads, before_ms, limit),
        lambda connection, limit: _delete(connection, tables.unreadable, before_ms, limit),
        # The status topic keeps a tombstone for as long, and compaction may come later: twice is safe.
        lambda connection, limit: _delete(connection, tables.purges, before_ms - retention_ms, limit),
        lambda connection, limit: _prune_minutes(connection, now_ms - DAY_MS, limit),
        lambda connection, limit: _expire_attention(connection, now_ms, limit),
        _drop_empty_tallies,
        lambda connection, _limit: prune_ids(connection, before_ms),
    )
    removed = 0
    for step in steps:
        removed += step(connection, PRUNED_ROWS - removed)
        if removed >= PRUNED_ROWS:
            return True
    return False


def _prune_trouble(connection: Connection, table: Table, before_ms: int, limit: int) -> int:
    """Remove dead letters or chain breaks; a batch whose last one goes no longer needs a person for it."""
    columns = table.c
    old = select(columns.batch_id).where(columns.time_ms < before_ms).order_by(columns.time_ms).limit(limit)
    about = {batch_id for batch_id in connection.execute(old).scalars() if batch_id is not None}
    removed = _delete(connection, table, before_ms, limit)
    tallies = Tallies(before_ms)
    follow_trouble(connection, about, tallies)
    tallies.write(connection)
    return removed


def _delete(connection: Connection, table: Table, before_ms: int, limit: int) -> int:
    keys = tuple(table.primary_key.columns)
    oldest = select(*keys).where(table.c.time_ms < before_ms).order_by(table.c.time_ms).limit(limit)
    chosen = tuple_(*keys).in_(oldest) if len(keys) > 1 else keys[0].in_(oldest)
    return connection.execute(delete(table).where(chosen)).rowcount


def _prune_minutes(connection: Connection, before_ms: int, limit: int) -> int:
    table = tables.stats_minute
    keys = tuple(table.primary_key.columns)
    oldest = select(*keys).where(table.c.minute < before_ms // MINUTE_MS).order_by(*keys).limit(limit)
    return connection.execute(delete(table).where(tuple_(*keys).in_(oldest))).rowcount


def _expire_attention(connection: Connection, now_ms: int, limit: int) -> int:
    """Forget the need for a person where its time is over; readers do not count it any more anyway."""
    table = tables.batches
    over = select(table.c.batch_id).where(table.c.attention_until_ms <= now_ms).limit(limit)
    change = update(table).where(table.c.batch_id.in_(over)).values(attention=None, attention_until_ms=None)
    return connection.execute(change).rowcount


def _drop_empty_tallies(connection: Connection, limit: int) -> int:
    table = tables.tallies
    keys = tuple(table.primary_key.columns)
    empty = select(*keys).where(table.c.n == 0).limit(limit)
    return connection.execute(delete(table).where(tuple_(*keys).in_(empty))).rowcount
