"""Comparing two projections of the same records, row for row."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, Table, Text, and_, case, collate, false, null, or_, select

from state.projection import tables
from state.projection.batch_models import DAY_MS, MINUTE_MS

_AT_ONCE = 1_000
_NOT_COMPARED = (tables.offsets, tables.identity, tables.source_topics, tables.id_runs)
"""Where each has got to, whose records it holds, and in which transactions it got them."""
_ONE_SIDED = (tables.purges, tables.chain_heads)
"""A tombstone is gone from its topic some time before the projection forgets the purge. A chain is followed from the
first record of it that the topic still has, which need not have moved it."""
_COUNTED = (tables.tallies, tables.stats_minute)


class Horizon(Struct, frozen=True, kw_only=True):
    """From when on both projections have all that the topics held. Times are Unix milliseconds."""

    now_ms: int
    history_ms: int = 0
    """Time of the oldest history record that every partition of its topic still has."""
    letters_ms: int = 0
    """The same of dead letters."""


class Difference(Struct, frozen=True, kw_only=True):
    """A row of a table that differs, or that only one projection has."""

    table: str
    key: tuple[Any, ...]
    columns: tuple[tuple[str, Any, Any], ...]
    """Columns that differ: name, live, freshly built. Empty where the row is missing in one."""
    only_in: str = ""
    """`live` or `fresh`."""

    def line(self) -> str:
        """Return a line for a person."""
        place = f"{self.table} {', '.join(map(str, self.key))}"
        if self.only_in:
            return f"{place}: only in the {self.only_in} projection"
        return f"{place}: " + "; ".join(
            f"{name} is {live!r}, should be {fresh!r}" for name, live, fresh in self.columns
        )


def differences(live: Connection, fresh: Connection, horizon: Horizon) -> Iterator[Difference]:
    """Yield what differs; each connection in a view of its own that does not move."""
    for table in tables.metadata.sorted_tables:
        if table not in _NOT_COMPARED:
            yield from _of_table(live, fresh, table, horizon)


def kept_rows(table: Table, dialect: str = "sqlite") -> Select[Any]:
    """Return the statement for all rows that mean something, in the order of the keys, byte by byte.

    A count of nothing means the same as none; in which runs ids lie means nothing.
    """
    keys = _keys(table)
    query = select(*keys, *(column for column in table.columns if not column.primary_key))
    if table in _COUNTED:
        query = query.where(table.c.n != 0)
    if table is tables.id_runs:
        query = query.where(false())
    return _in_order(query, table, dialect)


def _of_table(live: Connection, fresh: Connection, table: Table, horizon: Horizon) -> Iterator[Difference]:
    left, right = _rows(live, table, horizon), _rows(fresh, table, horizon)
    keys = len(_keys(table))
    names = [column.name for column in _columns(table, horizon)]
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and _key(ours, keys) < _key(theirs, keys)):
            assert ours is not None
            if table not in _ONE_SIDED:
                yield Difference(table=table.name, key=ours[:keys], columns=(), only_in="live")
            ours = next(left, None)
        elif ours is None or _key(theirs, keys) < _key(ours, keys):
            if table is not tables.chain_heads:
                yield Difference(table=table.name, key=theirs[:keys], columns=(), only_in="fresh")
            theirs = next(right, None)
        else:
            columns = tuple((name, a, b) for name, a, b in zip(names, ours, theirs, strict=True) if a != b)
            if columns:
                yield Difference(table=table.name, key=ours[:keys], columns=columns)
            ours, theirs = next(left, None), next(right, None)


def _key(row: tuple[Any, ...], keys: int) -> tuple[Any, ...]:
    """Return what rows are ordered by: texts by their bytes, as the databases do."""
    return tuple(value.encode() if isinstance(value, str) else value for value in row[:keys])


def _rows(connection: Connection, table: Table, horizon: Horizon) -> Iterator[tuple[Any, ...]]:
    query = select(*_columns(table, horizon)).where(*_within(table, horizon))
    query = _in_order(query, table, connection.dialect.name)
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
        yield tuple(row)


def _columns(table: Table, horizon: Horizon) -> list[ColumnElement[Any]]:
    """Return the keys, then the other columns; a need for a person whose time is over is none."""
    keys = _keys(table)
    others = [column for column in table.columns if not column.primary_key]
    if table is not tables.batches:
        return [*keys, *others]
    over = table.c.attention_until_ms <= horizon.now_ms
    timed = ("attention", "attention_until_ms")
    return [
        *keys,
        *(case((over, null()), else_=each).label(each.name) if each.name in timed else each for each in others),
    ]


def _within(table: Table, horizon: Horizon) -> list[ColumnElement[bool]]:
    columns = table.c
    if table in (tables.history, tables.history_ids, tables.chain_heads, tables.chain_breaks):
        return [columns.time_ms >= horizon.history_ms]
    if table is tables.dead_letters:
        return [columns.time_ms >= horizon.letters_ms]
    if table is tables.unreadable:
        return [columns.time_ms >= max(horizon.history_ms, horizon.letters_ms)]
    if table is tables.stats_minute:
        first, of_history = (horizon.now_ms - DAY_MS) // MINUTE_MS + 1, horizon.history_ms // MINUTE_MS + 1
        told = or_(columns.kind != "disposition", columns.minute >= of_history)
        return [columns.n != 0, and_(columns.minute >= first, told)]
    return [columns.n != 0] if table in _COUNTED else []


def _in_order(query: Select[Any], table: Table, dialect: str) -> Select[Any]:
    binary = dialect == "postgresql"
    return query.order_by(
        *(collate(key, "C") if binary and isinstance(key.type, Text) else key for key in _keys(table))
    )


def _keys(table: Table) -> list[Any]:
    """Return what tells one row from another: an id of the history is the same in whichever run it lies."""
    return [key for key in table.primary_key.columns if key is not tables.history_ids.c.run]
