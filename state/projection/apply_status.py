"""Status records into batches, snapshots, phases, purges and tallies."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete

from schemas.errors import UnreadableRecord
from schemas.internal.records import VERSION, decode_status
from schemas.internal.status import StatusRecord
from state.projection import tables
from state.projection.batch_rows import BatchRow, PhaseRow, batch_row, phase_rows
from state.projection.models import ProjectedRecord
from state.projection.sql import (
    delete_batches,
    select_by_batch,
    select_phases,
    text,
    update_changed,
    upsert,
    upsert_newer,
)
from state.projection.tallies import Tallies, owner_of
from state.projection.trouble import troubled

_BATCH_COLUMNS = tuple(tables.batches.columns)
_DELETE_PHASE = delete(tables.phases).where(
    tables.phases.c.registered_ms == bindparam("at_ms"),
    tables.phases.c.batch_id == bindparam("of"),
    tables.phases.c.phase == bindparam("named"),
)


class DecodedStatus(NamedTuple):
    """A decoded status record: the batch's state after the event that gave it `version`, or its end."""

    batch_id: str
    """As the columns hold it."""
    version: int
    time_ms: int
    text: str
    record: StatusRecord | None
    """None: purged."""


def read_snapshot(log: ProjectedRecord) -> DecodedStatus:
    """Decode a record of the status topic. Raises `RecordFormatError` or `UnreadableRecord`."""
    key = (log.key or b"").decode(errors="replace")
    if log.value is None:
        version = dict(log.headers).get(VERSION, b"")
        if not version.isdigit() or not key:
            raise UnreadableRecord(
                "a tombstone on the status topic has no key or no version header",
                next_step="Find out who wrote it; the product's own carry the version of the purge.",
            )
        return DecodedStatus(text(key), int(version), log.time_ms, "", None)
    record = decode_status(log.value)
    if record.batch_id != key:
        raise UnreadableRecord(
            f"a status record of batch {record.batch_id} has the key {key}",
            next_step="Find out who wrote it; the product's own are keyed by batch_id.",
        )
    return DecodedStatus(text(key), record.version, log.time_ms, log.text(), record)


def apply_snapshots(connection: Connection, snapshots: Iterable[DecodedStatus], tallies: Tallies) -> frozenset[str]:
    """Bring each batch to its newest snapshot; several of one batch are one change. Returns the batches that changed.

    The writer's lock is held: what is read here stays as it is until the transaction ends.
    """
    newest: dict[str, DecodedStatus] = {}
    purged: dict[str, DecodedStatus] = {}
    for snapshot in snapshots:
        _keep_newest(newest, snapshot)
        if snapshot.record is None:
            _keep_newest(purged, snapshot)
    stored = {row[0]: BatchRow._make(row) for row in select_by_batch(connection, _BATCH_COLUMNS, newest)}
    winners = _winners(connection, newest, stored)
    ends = [{"batch_id": end.batch_id, "version": end.version, "time_ms": end.time_ms} for end in purged.values()]
    upsert_newer(connection, tables.purges, ends, by="version")
    if winners:
        _replace(connection, winners, stored, tallies)
    return frozenset(winners)


def _keep_newest(found: dict[str, DecodedStatus], snapshot: DecodedStatus) -> None:
    earlier = found.get(snapshot.batch_id)
    if earlier is None or snapshot.version > earlier.version:
        found[snapshot.batch_id] = snapshot


def _winners(
    connection: Connection, newest: Mapping[str, DecodedStatus], stored: Mapping[str, BatchRow]
) -> dict[str, DecodedStatus]:
    known = {batch_id: row.version for batch_id, row in stored.items()}
    purges = tables.purges.c
    for batch_id, version in select_by_batch(connection, (purges.batch_id, purges.version), newest):
        known[batch_id] = max(version, known.get(batch_id, -1))
    return {batch_id: new for batch_id, new in newest.items() if new.version > known.get(batch_id, -1)}


def _replace(
    connection: Connection, winners: Mapping[str, DecodedStatus], stored: Mapping[str, BatchRow], tallies: Tallies
) -> None:
    records = [new.record for new in winners.values() if new.record is not None]
    living = {batch_id: new for batch_id, new in winners.items() if new.record is not None}
    purged = [batch_id for batch_id in stored if batch_id in winners and batch_id not in living]
    trouble = troubled(connection, living)
    batches = {batch_id: batch_row(record, trouble) for batch_id, record in zip(living, records, strict=True)}
    for batch_id in winners:
        tallies.change_batch(stored.get(batch_id), batches.get(batch_id))
    _replace_phases(connection, batches, records, [stored[each] for each in winners if each in stored], tallies)
    for table in (tables.batches, tables.snapshots):  # after the phases, which are found by the rows of `batches`
        delete_batches(connection, table, purged)
    known = [(stored[batch_id], batch) for batch_id, batch in batches.items() if batch_id in stored]
    update_changed(connection, tables.batches, known, BatchRow._fields)
    first = [batch for batch_id, batch in batches.items() if batch_id not in stored]
    upsert_newer(connection, tables.batches, first, by="version")
    upsert(connection, tables.snapshots, [(batch_id, new.text) for batch_id, new in living.items()])


def _replace_phases(
    connection: Connection,
    batches: Mapping[str, BatchRow],
    records: Collection[StatusRecord],
    stored: Sequence[BatchRow],
    tallies: Tallies,
) -> None:
    """Write the phases that differ from the stored ones, and remove those that the batches no longer have."""
    new = {_place(row): row for record in records for row in phase_rows(record).values()}
    owners = {row.batch_id: owner_of(row) for row in stored}
    gone: list[tuple[int, str, str]] = []
    for old in map(PhaseRow._make, select_phases(connection, owners)):
        place, owner = _place(old), owners[old.batch_id]
        if place not in new:
            gone.append(place)
        elif new[place] == old and owner == owner_of(batches[old.batch_id]):
            del new[place]
            continue
        tallies.change_phase(owner, old, -1)
    for row in new.values():
        tallies.change_phase(owner_of(batches[row.batch_id]), row, 1)
    if gone:
        places = [dict(zip(("at_ms", "of", "named"), place, strict=True)) for place in gone]
        connection.execute(_DELETE_PHASE, places)
    upsert(connection, tables.phases, list(new.values()))


def _place(row: PhaseRow) -> tuple[int, str, str]:
    """Return the key of a phase: those of batches registered at one time lie together."""
    return row.registered_ms, row.batch_id, row.phase
