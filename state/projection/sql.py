"""The few statements that differ from plain SQL, the same for SQLite and PostgreSQL."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, Table, and_, case, func, select
from sqlalchemy.dialects import postgresql, sqlite

CHUNK = 500
"""Parameters of one IN list; SQLite's oldest limit is 999."""
Row = dict[str, Any]


_WRITERS_LOCK = 0x626F735F77726974
"""Key of the PostgreSQL advisory lock that writers hold for the length of a transaction."""


def lock(connection: Connection) -> None:
    """Wait until no other writer is in a transaction, and keep others waiting until this one ends.

    SQLite has one writer at a time anyway. On PostgreSQL every transaction would meet the others at the tallies, in
    the middle of its work; so they queue at its beginning, and what one reads stays true while it works.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))


def insert_new(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert rows; one that is there already stays as it is."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def upsert(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert or replace rows. The caller holds the writer's lock and knows that they are newer."""
    if rows:
        statement = _insert(connection, table)
        keys = [column.name for column in table.primary_key]
        new = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)


def upsert_newer(connection: Connection, table: Table, rows: list[Row], *, by: str) -> None:
    """Insert or replace rows; a stored one with the same or a greater value of the column `by` stays."""
    if rows:
        statement = _insert(connection, table)
        keys = [column.name for column in table.primary_key]
        new = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        newer = statement.excluded[by] > table.c[by]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new, where=newer), rows)


def upsert_about(connection: Connection, table: Table, rows: list[Row], *, same: str, by: str, keep: str) -> None:
    """Insert rows, or replace stored ones that have the same value of the column `same` and a smaller one of `by`.

    The stored value of the column `keep` stays where the new row has none. Rows are applied one after another.
    """
    if rows:
        statement = _insert(connection, table)
        keys = [column.name for column in table.primary_key]
        new = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        kept = func.coalesce(statement.excluded[keep], table.c[keep])
        fits = and_(statement.excluded[same] == table.c[same], statement.excluded[by] > table.c[by])
        replace = statement.on_conflict_do_update(index_elements=keys, set_=new | {keep: kept}, where=fits)
        connection.execute(replace, rows)


def raise_to(connection: Connection, table: Table, rows: list[Row], *, columns: Sequence[str]) -> None:
    """Insert rows or raise each of `columns` of stored ones; never lowers one."""
    if rows:
        statement = _insert(connection, table)
        keys = [key.name for key in table.primary_key]
        pairs = [(name, statement.excluded[name], table.c[name]) for name in columns]
        highest = {name: case((new > old, new), else_=old) for name, new, old in pairs}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=highest), rows)


def add_to(connection: Connection, table: Table, rows: list[Row], *, column: str) -> None:
    """Insert rows or add their `column` to what is stored."""
    if rows:
        statement = _insert(connection, table)
        keys = [key.name for key in table.primary_key]
        total = table.c[column] + statement.excluded[column]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={column: total}), rows)


def select_by_batch(
    connection: Connection, columns: tuple[Column[Any], ...], batch_ids: Iterable[str]
) -> Iterator[Any]:
    """Yield rows of `columns`, of the table of the first one, for these batches."""
    table = columns[0].table
    ids = iter(batch_ids)
    while chunk := list(islice(ids, CHUNK)):
        yield from connection.execute(select(*columns).where(table.c.batch_id.in_(chunk)))


def text(value: str) -> str:
    """Return `value` for a text column: PostgreSQL takes no NUL. The JSON beside it has the original, escaped."""
    return value.replace("\x00", "\ufffd") if "\x00" in value else value


def asked(value: str) -> str:
    """Return a text that somebody looks for as the columns would hold it; no database takes a lone surrogate."""
    return text(value.encode(errors="replace").decode())


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
