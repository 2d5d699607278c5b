"""Status records into batches, phases, purges and counts."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete

from schemas.errors import UnreadableRecord
from schemas.internal.records import VERSION, decode_status
from schemas.internal.status import StatusRecord
from state.projection import tables
from state.projection.models import ProjectedRecord
from state.projection.sql import CHUNK, Row, add_to, select_by_batch, text, upsert_newer


class DecodedStatus(NamedTuple):
    """A decoded status record: the batch's state after the event that gave it `version`, or its end."""

    batch_id: str
    version: int
    time_ms: int
    text: str
    """Version in the record's header."""
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
        return DecodedStatus(key, int(version), log.time_ms, "", None)
    record = decode_status(log.value)
    if record.batch_id != key:
        raise UnreadableRecord(
            f"a status record of batch {record.batch_id} has the key {key}",
            next_step="Find out who wrote it; the product's own are keyed by batch_id.",
        )
    return DecodedStatus(key, record.version, log.time_ms, log.text(), record)


def apply_snapshots(connection: Connection, snapshots: Iterable[DecodedStatus]) -> int:
    """Bring each batch to its newest snapshot. Returns how many batches changed."""
    newest: dict[str, DecodedStatus] = {}
    purged: dict[str, DecodedStatus] = {}
    for snapshot in snapshots:
        _keep_newest(newest, snapshot)
        if snapshot.record is None:
            _keep_newest(purged, snapshot)
    winners = _winners(connection, newest)
    ends = [{"batch_id": text(end.batch_id), "version": end.version, "time_ms": end.time_ms} for end in purged.values()]
    upsert_newer(connection, tables.purges, ends, by="version")
    if winners:
        _replace(connection, winners)
    return len(winners)


def _keep_newest(found: dict[str, DecodedStatus], snapshot: DecodedStatus) -> None:
    earlier = found.get(snapshot.batch_id)
    if earlier is None or snapshot.version > earlier.version:
        found[snapshot.batch_id] = snapshot


def _winners(connection: Connection, newest: dict[str, DecodedStatus]) -> dict[str, DecodedStatus]:
    known: dict[str, int] = {}
    for table in (tables.batches, tables.purges):
        for batch_id, version in select_by_batch(connection, (table.c.batch_id, table.c.version), newest):
            known[batch_id] = max(version, known.get(batch_id, -1))
    return {batch_id: new for batch_id, new in newest.items() if new.version > known.get(batch_id, -1)}


def _replace(connection: Connection, winners: dict[str, DecodedStatus]) -> None:
    batches, phases = tables.batches.c, tables.phases.c
    statuses: Counter[str] = Counter()
    phase_statuses: Counter[tuple[str, str]] = Counter()
    for _, status in select_by_batch(connection, (batches.batch_id, batches.status), winners):
        statuses[status] -= 1
    gone: set[str] = set()
    for batch_id, phase, status in select_by_batch(connection, (phases.batch_id, phases.phase, phases.status), winners):
        phase_statuses[phase, status] -= 1
        record = winners[batch_id].record
        if record is None or phase not in record.phases:
            gone.add(batch_id)
    for new in winners.values():
        if new.record is not None:
            statuses[new.record.status.value] += 1
            phase_statuses.update((text(name), view.status.value) for name, view in new.record.phases.items())
    _delete(connection, gone, [new.batch_id for new in winners.values() if new.record is None])
    living = [(new, new.record) for new in winners.values() if new.record is not None]
    upsert_newer(connection, tables.batches, [_batch_row(new, record) for new, record in living], by="version")
    rows = [row for _, record in living for row in _phase_rows(record)]
    upsert_newer(connection, tables.phases, rows, by="version")
    _count(connection, statuses, phase_statuses)


def _delete(connection: Connection, phases_of: set[str], batches: list[str]) -> None:
    for table, ids in ((tables.phases, sorted(phases_of)), (tables.batches, batches)):
        for start in range(0, len(ids), CHUNK):
            connection.execute(delete(table).where(table.c.batch_id.in_(ids[start : start + CHUNK])))


def _count(connection: Connection, statuses: Counter[str], phases: Counter[tuple[str, str]]) -> None:
    # In order, so that two projectors on one database never wait for each other in a circle.
    rows: list[Row] = [{"status": status, "batches": n} for status, n in sorted(statuses.items()) if n]
    add_to(connection, tables.batch_counts, rows, column="batches")
    rows = [{"phase": phase, "status": status, "batches": n} for (phase, status), n in sorted(phases.items()) if n]
    add_to(connection, tables.phase_counts, rows, column="batches")


def _batch_row(new: DecodedStatus, record: StatusRecord) -> Row:
    context, counts = record.context, record.counts
    return {
        "batch_id": text(record.batch_id),
        "version": record.version,
        "status": record.status.value,
        "user_id": None if context.user_id is None else text(context.user_id),
        "organisation": None if context.org_id is None else text(context.org_id),
        "owner_subject": text(record.owner_subject),
        "owner_organisation": text(record.owner_organisation),
        "course": text(context.course_code_given),
        "pipeline": text(record.pipeline),
        "stalled": record.stalled,
        "reason": record.reason,
        "registered_ms": record.registered_ms,
        "updated_ms": record.updated_ms,
        "ended_ms": record.ended_ms,
        "next_deadline_ms": record.deadlines[0].due_ms if record.deadlines else None,
        "expected": counts.expected,
        "ready": counts.ready,
        "unaccounted": counts.unaccounted,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "snapshot": new.text,
    }


def _phase_rows(record: StatusRecord) -> list[Row]:
    return [
        {
            "batch_id": text(record.batch_id),
            "phase": text(name),
            "position": position,
            "version": record.version,
            "status": view.status.value,
            "attempt": view.attempt,
            "commanded": view.commanded,
            "succeeded": view.succeeded,
            "failed": view.failed,
            "unaccounted": view.unaccounted,
            "started_ms": view.started_ms,
            "completed_ms": view.completed_ms,
            "registered_ms": record.registered_ms,
        }
        for position, (name, view) in enumerate(record.phases.items())
    ]
