"""History records into history, event ids and dispositions, and the watch over each batch's chain of versions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select

from schemas.ids import VERSIONS_PER_GENERATION
from schemas.internal.history import NO_VERSION, HistoryRecord
from schemas.internal.records import decode_history
from state.projection import tables
from state.projection.event_keys import id_entries
from state.projection.id_runs import add_ids
from state.projection.models import ChainBreak, ProjectedRecord
from state.projection.sql import Row, insert_new, select_by_batch, text, upsert_newer
from state.projection.tallies import Tallies


class DecodedHistory(NamedTuple):
    """A decoded history record and its text."""

    record: HistoryRecord
    text: str


class _Head(NamedTuple):
    position: int
    version: int
    time_ms: int


def read_account(log: ProjectedRecord) -> DecodedHistory:
    """Decode a record of the history topic. Raises `RecordFormatError` or `UnreadableRecord`."""
    return DecodedHistory(decode_history(log.value or b""), log.text())


def apply_accounts(
    connection: Connection, accounts: Sequence[DecodedHistory], tallies: Tallies
) -> tuple[ChainBreak, ...]:
    """Keep the records, the first of each place on the inbox. Returns the breaks of a chain that they show."""
    new = _new(connection, accounts)
    insert_new(connection, tables.history, [_row(account) for account in new])
    add_ids(connection, [entry for account in new for entry in id_entries(account.record)])
    for account in new:
        tallies.add_disposition(account.record.time_ms, str(account.record.disposition))
    return _follow_chains(connection, [account.record for account in accounts])


def _new(connection: Connection, accounts: Sequence[DecodedHistory]) -> list[DecodedHistory]:
    """Return the records whose place has none yet, the first of each place.

    Records of one transaction are neighbours on the inbox, so that one range of each partition has them all.
    """
    found: dict[tuple[int, int, int], DecodedHistory] = {}
    ranges: dict[int, tuple[int, int]] = {}
    for account in accounts:
        record = account.record
        found.setdefault((record.partition, record.offset, record.time_ms), account)
        first, last = ranges.get(record.partition, (record.offset, record.offset))
        ranges[record.partition] = min(first, record.offset), max(last, record.offset)
    columns = tables.history.c
    near = (
        and_(columns.partition == partition, columns.offset.between(first, last))
        for partition, (first, last) in ranges.items()
    )
    if ranges:
        query = select(columns.partition, columns.offset, columns.time_ms).where(or_(*near))
        for row in connection.execute(query):
            found.pop(tuple(row), None)
    return list(found.values())


def _follow_chains(connection: Connection, records: Sequence[HistoryRecord]) -> tuple[ChainBreak, ...]:
    """Follow each batch from version to version.

    A record that the chain has passed is a repeat, and says nothing new. A batch without a head (its history starts
    after the oldest that the topic holds) takes the first record as its beginning.
    """
    columns = tables.chain_heads.c
    selected = (columns.batch_id, columns.position, columns.version, columns.time_ms)
    ids = sorted({text(record.batch_id) for record in records})
    heads = {row.batch_id: _Head(*row[1:]) for row in select_by_batch(connection, selected, ids)}
    moved: dict[str, _Head] = {}
    breaks: list[ChainBreak] = []
    for record in records:
        if not record.in_chain:
            continue
        batch_id = text(record.batch_id)
        head, position = heads.get(batch_id), _position(record)
        if head is not None:
            if position <= head.position:
                continue
            if record.based_on != head.version:
                breaks.append(_break(record, head.version))
        if record.version != record.based_on or (head is None and record.version != NO_VERSION):
            heads[batch_id] = moved[batch_id] = _Head(position, record.version, record.time_ms)
    rows = [(batch_id, *head) for batch_id, head in moved.items()]
    upsert_newer(connection, tables.chain_heads, rows, by="position")
    insert_new(connection, tables.chain_breaks, [_break_row(found) for found in breaks])
    return tuple(breaks)


def _position(record: HistoryRecord) -> int:
    """Return a number that grows along a batch's history: the version of an event, whether or not it took effect.

    Where the event made no version, the generation is that of the version it found, at least.
    """
    if record.version > record.based_on:
        return record.version
    found = max(record.based_on, 0)
    return max(
        found - found % VERSIONS_PER_GENERATION + record.offset, record.based_on + (record.version < record.based_on)
    )


def _row(account: DecodedHistory) -> tuple[Any, ...]:
    """Return the columns of `history`, in their order."""
    record = account.record
    return (
        record.partition,
        record.offset,
        record.time_ms,
        text(record.batch_id),
        str(record.disposition),
        None if record.request_id is None else text(record.request_id),
        account.text,
    )


def _break(record: HistoryRecord, expected: int) -> ChainBreak:
    return ChainBreak(
        partition=record.partition,
        offset=record.offset,
        time_ms=record.time_ms,
        batch_id=record.batch_id,
        version=record.version,
        based_on=record.based_on,
        expected=expected,
    )


def _break_row(found: ChainBreak) -> Row:
    return {name: getattr(found, name) for name in found.__struct_fields__}
