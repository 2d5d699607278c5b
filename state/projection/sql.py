"""The few statements that differ from plain SQL, the same for SQLite and PostgreSQL.

Those that write rows are compiled once and get their values as the driver takes them: what SQLAlchemy does with each
row would cost more than the database.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Select,
    Table,
    Update,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from state.projection import tables
from state.projection.engine import UNLOCKED

Row = dict[str, Any]
Rows = Sequence[Row] | Sequence[tuple[Any, ...]]
"""Rows by the names of their columns, or all columns of each in the order of the table, which costs least."""
_Insert = sqlite.Insert | postgresql.Insert
_WRITERS_LOCK = 0x626F735F77726974
"""Key of the PostgreSQL advisory lock that writers hold for the length of a transaction."""


class _Compiled(NamedTuple):
    """A statement as the driver takes it, and how a row becomes its parameters."""

    sql: str
    parameters: Callable[[Any], Any]
    names: tuple[str, ...] = ()
    """Names of the parameters, where the driver wants them by name."""


def lock(connection: Connection) -> None:
    """Wait until no other writer is in a transaction, and keep others waiting until this one ends.

    SQLite has one writer at a time anyway. On PostgreSQL every transaction would meet the others at the tallies, in
    the middle of its work; so they queue at its beginning, and what one reads stays true while it works.
    """
    if connection.dialect.name == "postgresql" and UNLOCKED not in connection.get_execution_options():
        connection.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))


def insert_new(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows; one that is there already stays as it is."""
    _write(connection, table, rows, _new)


def insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that are not there."""
    _write(connection, table, rows, _plain)


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert or replace rows. The caller holds the writer's lock and knows that they are newer."""
    _write(connection, table, rows, _replacing)


def upsert_newer(connection: Connection, table: Table, rows: Rows, *, by: str) -> None:
    """Insert or replace rows; a stored one with the same or a greater value of the column `by` stays."""
    _write(connection, table, rows, _newer, by)


def update_changed(
    connection: Connection, table: Table, pairs: Iterable[tuple[Any, Any]], columns: Sequence[str]
) -> None:
    """Bring stored rows to new ones of the same key, tuples of `columns` given in pairs; write only what differs.

    SQLite touches each index of which a column is written, whether or not its value is another one.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for old, new in pairs:
        changed = tuple(name for name, was, is_ in zip(columns, old, new, strict=True) if was != is_)
        groups.setdefault(changed, []).append(new._asdict())
    for changed, rows in groups.items():
        if changed:
            _write(connection, table, rows, _changing, *changed)


def upsert_about(connection: Connection, table: Table, rows: Sequence[Row], *, same: str, by: str, keep: str) -> None:
    """Insert rows, or replace stored ones that have the same value of the column `same` and a smaller one of `by`.

    The stored value of the column `keep` stays where the new row has none. Rows are applied one after another.
    """
    _write(connection, table, rows, _about, same, by, keep)


def raise_to(connection: Connection, table: Table, rows: Sequence[Row], *, columns: Sequence[str]) -> None:
    """Insert rows or raise each of `columns` of stored ones; never lowers one."""
    _write(connection, table, rows, _raising, *columns)


def add_to(connection: Connection, table: Table, rows: Rows, *, column: str) -> None:
    """Insert rows or add their `column` to what is stored."""
    _write(connection, table, rows, _adding, column)


def select_by_batch(
    connection: Connection, columns: tuple[Column[Any], ...], batch_ids: Collection[str]
) -> Sequence[Any]:
    """Return rows of `columns`, of the table of the first one, for these batches, as the driver gives them."""
    if not batch_ids:
        return ()
    return _by_batch(connection, batch_ids, _selecting, columns).all()


def select_phases(connection: Connection, batch_ids: Collection[str]) -> Sequence[Any]:
    """Return the rows of `phases` of these batches, which are found by the rows of `batches`."""
    if not batch_ids:
        return ()
    columns = (tables.batches.c.batch_id, *tables.phases.columns)
    return [row[1:] for row in _by_batch(connection, batch_ids, _with_phases, columns)]


def delete_batches(connection: Connection, table: Table, batch_ids: Collection[str]) -> None:
    """Remove the rows of these batches."""
    if batch_ids:
        _by_batch(connection, batch_ids, _deleting, tuple(table.columns))


def _by_batch(
    connection: Connection,
    batch_ids: Collection[str],
    make: Callable[[ColumnElement[bool], tuple[Column[Any], ...]], ClauseElement],
    columns: tuple[Column[Any], ...],
) -> CursorResult[Any]:
    """Run a statement about the rows of these batches; they are one parameter, however many there are."""
    postgres = connection.dialect.name == "postgresql"
    given = list(batch_ids) if postgres else msgspec.json.encode(list(batch_ids)).decode()
    compiled = _compile_by_batch(connection.dialect, make, columns)
    return connection.exec_driver_sql(compiled.sql, compiled.parameters({"batches": given}))


@lru_cache(maxsize=256)
def _compile_by_batch(
    dialect: Dialect,
    make: Callable[[ColumnElement[bool], tuple[Column[Any], ...]], ClauseElement],
    columns: tuple[Column[Any], ...],
) -> _Compiled:
    batch_id = columns[0].table.c.batch_id
    if dialect.name == "postgresql":
        chosen = batch_id == any_(bindparam("batches", type_=postgresql.ARRAY(batch_id.type)))
    else:
        values: Select[Any] = select(literal_column("value")).select_from(func.json_each(bindparam("batches")))
        chosen = batch_id.in_(values)
    compiled: Any = make(chosen, columns).compile(dialect=dialect)
    return _Compiled(compiled.string, _one if compiled.positional else dict)


def _one(row: Row) -> tuple[Any, ...]:
    return tuple(row.values())


def _selecting(chosen: ColumnElement[bool], columns: tuple[Column[Any], ...]) -> ClauseElement:
    return select(*columns).where(chosen)


def _with_phases(chosen: ColumnElement[bool], columns: tuple[Column[Any], ...]) -> ClauseElement:
    batches, phases = tables.batches.c, tables.phases.c
    same = and_(phases.registered_ms == batches.registered_ms, phases.batch_id == batches.batch_id)
    return select(*columns).join_from(tables.batches, tables.phases, same).where(chosen)


def _deleting(chosen: ColumnElement[bool], columns: tuple[Column[Any], ...]) -> ClauseElement:
    return delete(columns[0].table).where(chosen)


def indexed(query: Select[Any], table: Table, index: str) -> Select[Any]:
    """Have SQLite read `table` by this index: it knows no numbers of rows, and would guess. PostgreSQL knows them."""
    return query.with_hint(table, f"INDEXED BY {index}", "sqlite")


def text(value: str) -> str:
    """Return `value` for a text column: PostgreSQL takes no NUL. The JSON beside it has the original, escaped."""
    return value.replace("\x00", "\ufffd") if "\x00" in value else value


def asked(value: str) -> str:
    """Return a text that somebody looks for as the columns would hold it; no database takes a lone surrogate."""
    return text(value.encode(errors="replace").decode())


def _write(connection: Connection, table: Table, rows: Rows, make: Callable[..., ClauseElement], *names: str) -> None:
    if not rows:
        return
    compiled = _compile(connection.dialect, table, make, names)
    given: list[Any]
    if isinstance(rows[0], dict):
        given = list(map(compiled.parameters, rows))
    elif compiled.names:
        given = [dict(zip(compiled.names, row, strict=True)) for row in rows]
    else:
        given = list(rows)
    connection.exec_driver_sql(compiled.sql, given)


@lru_cache(maxsize=256)
def _compile(dialect: Dialect, table: Table, make: Callable[..., ClauseElement], names: tuple[str, ...]) -> _Compiled:
    into = postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
    statement = make(into, table, *names)
    columns = names if isinstance(statement, Update) else [column.name for column in table.columns]
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    if compiled.positional:
        return _Compiled(compiled.string, itemgetter(*compiled.positiontup))
    return _Compiled(compiled.string, dict, tuple(columns))


def _plain(into: _Insert, _table: Table) -> ClauseElement:
    return into


def _new(insert: _Insert, _table: Table) -> ClauseElement:
    return insert.on_conflict_do_nothing()


def _replacing(insert: _Insert, table: Table) -> ClauseElement:
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=_values(insert, table))


def _newer(insert: _Insert, table: Table, by: str) -> ClauseElement:
    newer = insert.excluded[by] > table.c[by]
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=_values(insert, table), where=newer)


def _about(insert: _Insert, table: Table, same: str, by: str, keep: str) -> ClauseElement:
    kept = func.coalesce(insert.excluded[keep], table.c[keep])
    fits = and_(insert.excluded[same] == table.c[same], insert.excluded[by] > table.c[by])
    values = _values(insert, table) | {keep: kept}
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=values, where=fits)


def _raising(insert: _Insert, table: Table, *columns: str) -> ClauseElement:
    pairs = [(name, insert.excluded[name], table.c[name]) for name in columns]
    highest = {name: case((new > old, new), else_=old) for name, new, old in pairs}
    return insert.on_conflict_do_update(index_elements=_keys(table), set_=highest)


def _adding(insert: _Insert, table: Table, column: str) -> ClauseElement:
    total = table.c[column] + insert.excluded[column]
    return insert.on_conflict_do_update(index_elements=_keys(table), set_={column: total})


def _changing(_insert: _Insert, table: Table, *columns: str) -> ClauseElement:
    keys = (key == bindparam(key.name) for key in table.primary_key)
    return update(table).where(*keys).values({name: bindparam(name) for name in columns})


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _values(insert: _Insert, table: Table) -> dict[str, Any]:
    keys = _keys(table)
    return {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
