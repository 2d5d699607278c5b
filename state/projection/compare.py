"""The rows of a projection in a fixed order, to compare one with another."""

from typing import Any

from sqlalchemy import Select, Table, Text, collate, select

from state.projection import tables

_COUNTED = (tables.tallies, tables.stats_minute)


def kept_rows(table: Table, dialect: str = "sqlite") -> Select[Any]:
    """Return the statement for all rows that mean something, in the order of the keys, byte by byte.

    A count of nothing means the same as none.
    """
    query = select(table)
    if table in _COUNTED:
        query = query.where(table.c.n != 0)
    binary = dialect == "postgresql"
    return query.order_by(
        *(collate(key, "C") if binary and isinstance(key.type, Text) else key for key in table.primary_key.columns)
    )
