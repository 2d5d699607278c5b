"""Where history tells of an id: sorted runs of entries, so that ids in no order are written at the end of a table.

Ids are random. In one index over all of them each entry lies on another page, and each is written whole: with a million
batches 4 KB, twice, for 25 bytes. So a transaction writes its entries as a run, in the order of their keys. When there
are `FAN` runs of about the same length they become one, up to `LONGEST` entries. Whoever looks for an id looks into
every run.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, bindparam, delete, func, select

from state.projection import tables
from state.projection.sql import insert

FAN = 16
"""Runs of one length that become one."""
LONGEST = 4_096
"""Entries of a run that is not merged any more, at least; at most `FAN` times as many."""
IdEntry = tuple[int, int, int, int]
"""The key (`event_keys`) of an id, and the place of a history record that tells of it: partition, offset and time."""
_ids, _runs = tables.history_ids.c, tables.id_runs.c
_PLACE = (_ids.partition, _ids.offset, _ids.time_ms)
_SHORT = select(_runs.run, _runs.entries, _runs.newest_ms).where(_runs.entries < LONGEST)
_COPY = tables.history_ids.insert().from_select(
    [column.name for column in _ids],
    select(bindparam("into", type_=BigInteger), _ids.key, *_PLACE)
    .where(_ids.run.in_(bindparam("runs", expanding=True)))
    .order_by(_ids.key, *_PLACE),
)


class _Run(NamedTuple):
    run: int
    entries: int
    newest_ms: int


def add_ids(connection: Connection, entries: Sequence[IdEntry]) -> None:
    """Keep entries, none of which is there already."""
    if not entries:
        return
    last = connection.execute(select(func.max(_runs.run))).scalar_one() or 0
    new = _Run(last + 1, len(entries), max(entry[3] for entry in entries))
    insert(connection, tables.history_ids, [(new.run, *entry) for entry in sorted(entries)])
    insert(connection, tables.id_runs, [new])
    short = [_Run(*row) for row in connection.execute(_SHORT)]
    while len(same := [run for run in short if _level(run) == _level(new)]) >= FAN:
        new = _merge(connection, same, new.run + 1)
        short = [run for run in short if run not in same]
        if new.entries < LONGEST:
            short.append(new)


def told_places(first: int, last: int | None = None) -> Select[Any]:
    """Return the statement for the places of this key, or of all keys from the first to the last one.

    A key need not be that of one id alone: the record says which it is.
    """
    wanted = _ids.key == first if last is None else _ids.key.between(first, last)
    return select(*_PLACE).where(_ids.run.in_(select(_runs.run)), wanted)


def prune_ids(connection: Connection, before_ms: int) -> int:
    """Remove a run that tells only of records older than this; return the number of its entries.

    An entry of a younger run can outlast its record: then its place has none, and nothing is found there.
    """
    old = connection.execute(select(_runs.run, _runs.entries).where(_runs.newest_ms < before_ms).limit(1)).one_or_none()
    if old is None:
        return 0
    _remove(connection, [old.run])
    entries: int = old.entries
    return entries


def _level(run: _Run) -> int:
    return (run.entries.bit_length() - 1) // (FAN.bit_length() - 1)


def _merge(connection: Connection, runs: Sequence[_Run], number: int) -> _Run:
    numbers = [run.run for run in runs]
    connection.execute(_COPY, {"into": number, "runs": numbers})
    _remove(connection, numbers)
    merged = _Run(number, sum(run.entries for run in runs), max(run.newest_ms for run in runs))
    insert(connection, tables.id_runs, [merged])
    return merged


def _remove(connection: Connection, numbers: Sequence[int]) -> None:
    for column in (_ids.run, _runs.run):
        connection.execute(delete(column.table).where(column.in_(numbers)))
