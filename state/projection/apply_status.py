"""Status records into batches, snapshots, phases, purges and tallies."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, tuple_

from schemas.errors import UnreadableRecord
from schemas.internal.records import VERSION, decode_status
from schemas.internal.status import StatusRecord
from state.projection import tables
from state.projection.batch_rows import PhaseRow, batch_row, phase_rows
from state.projection.models import ProjectedRecord
from state.projection.sql import CHUNK, select_by_batch, text, upsert, upsert_newer
from state.projection.tallies import Tallies
from state.projection.trouble import troubled

_PHASE_COLUMNS = tuple(tables.phases.columns)


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
    columns = tuple(tables.batches.columns)
    stored = {row.batch_id: row for row in select_by_batch(connection, columns, newest)}
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
    connection: Connection, newest: Mapping[str, DecodedStatus], stored: Mapping[str, Any]
) -> dict[str, DecodedStatus]:
    known = {batch_id: row.version for batch_id, row in stored.items()}
    purges = tables.purges.c
    for batch_id, version in select_by_batch(connection, (purges.batch_id, purges.version), newest):
        known[batch_id] = max(version, known.get(batch_id, -1))
    return {batch_id: new for batch_id, new in newest.items() if new.version > known.get(batch_id, -1)}


def _replace(
    connection: Connection, winners: Mapping[str, DecodedStatus], stored: Mapping[str, Any], tallies: Tallies
) -> None:
    records = [new.record for new in winners.values() if new.record is not None]
    living = {batch_id: new for batch_id, new in winners.items() if new.record is not None}
    _remove(connection, [batch_id for batch_id in stored if batch_id in winners and batch_id not in living])
    trouble = troubled(connection, living)
    batches = [batch_row(record, trouble) for record in records]
    for batch in batches:
        tallies.add_batch(batch)
    for batch_id in winners:
        if batch_id in stored:
            tallies.add_batch(stored[batch_id], -1)
    _replace_phases(connection, winners, stored, tallies)
    upsert_newer(connection, tables.batches, [batch._asdict() for batch in batches], by="version")
    upsert(connection, tables.snapshots, [{"batch_id": each, "snapshot": new.text} for each, new in living.items()])


def _replace_phases(
    connection: Connection, winners: Mapping[str, DecodedStatus], stored: Mapping[str, Any], tallies: Tallies
) -> None:
    """Write the phases that differ from the stored ones, and remove those that the batches no longer have."""
    new: dict[tuple[str, str], PhaseRow] = {}
    for batch_id, winner in winners.items():
        if (record := winner.record) is not None:
            organisation, subject = text(record.owner_organisation), text(record.owner_subject)
            for phase, row in phase_rows(record).items():
                new[batch_id, phase] = row
                tallies.add_phase(organisation, subject, row)
    gone: list[tuple[str, str]] = []
    for old in select_by_batch(connection, _PHASE_COLUMNS, [batch_id for batch_id in winners if batch_id in stored]):
        owner = stored[old.batch_id]
        tallies.add_phase(owner.owner_organisation, owner.owner_subject, old, -1)
        place = (old.batch_id, old.phase)
        if place not in new:
            gone.append(place)
        elif new[place] == tuple(old):
            del new[place]
    columns = tables.phases.c
    for start in range(0, len(gone), CHUNK // 2):
        chosen = tuple_(columns.batch_id, columns.phase).in_(gone[start : start + CHUNK // 2])
        connection.execute(delete(tables.phases).where(chosen))
    upsert(connection, tables.phases, [row._asdict() for row in new.values()])


def _remove(connection: Connection, batch_ids: Collection[str]) -> None:
    ids = list(batch_ids)
    for table in (tables.batches, tables.snapshots):
        for start in range(0, len(ids), CHUNK):
            connection.execute(delete(table).where(table.c.batch_id.in_(ids[start : start + CHUNK])))
