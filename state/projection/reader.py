"""The reader: what the API and the command line ask of the projection."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select, tuple_

from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus
from schemas.internal.history import HistoryRecord
from schemas.internal.records import decode_history, decode_status
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from state.projection import tables
from state.projection.cursors import CursorCodec
from state.projection.engine import reading
from state.projection.letter_reader import LetterReader
from state.projection.models import (
    EVERYTHING,
    BatchFilter,
    BatchPage,
    BatchSummary,
    ChainBreak,
    HistoryPage,
    Identity,
    LetterFilter,
    PhaseSummary,
    RequestTrace,
    StatusCounts,
    Visibility,
)
from state.projection.schema import is_current
from state.projection.sql import select_by_batch

_batch_cursor = CursorCodec(tuple[int, str])
_history_cursor = CursorCodec(tuple[int, int, int])
_SUMMARY = [column for column in tables.batches.columns if column.name != "snapshot"]
_PHASE = [column for column in tables.phases.columns if column.name in ("batch_id", *PhaseSummary.__struct_fields__)]


class Reader(LetterReader):
    """Reads the projection. Every call is one consistent view; calls may come from any number of threads.

    Methods raise `ProjectionError` where the database cannot be reached or has no schema yet.
    """

    def ready(self) -> bool:
        """Tell whether a projector has made the schema. Raises `ProjectionError` where a newer version has."""
        with reading(self._engine) as connection:
            return is_current(connection)

    def identity(self) -> Identity | None:
        """Return whose events the database holds; None before the projector's first start."""
        columns = tables.identity.c
        with reading(self._engine) as connection:
            row = connection.execute(select(columns.cluster_id, columns.inbox_topic_id)).one_or_none()
        return None if row is None else Identity(*row)

    def offsets(self) -> dict[tuple[Topic, int], int]:
        """Return the next offset of each (topic, partition) that is not yet reflected; absent: nothing is."""
        columns = tables.offsets.c
        with reading(self._engine) as connection:
            rows = connection.execute(select(columns.topic, columns.partition, columns.next_offset))
            return {(Topic(topic), partition): offset for topic, partition, offset in rows}

    def get(self, batch_id: str, visibility: Visibility = EVERYTHING) -> StatusRecord | None:
        """Return a batch's snapshot; None where there is none, or none that may be seen."""
        query = select(tables.batches.c.snapshot).where(tables.batches.c.batch_id == batch_id, *_visible(visibility))
        with reading(self._engine) as connection:
            snapshot = connection.execute(query).scalar_one_or_none()
        return None if snapshot is None else decode_status(snapshot.encode())

    def list(
        self,
        filters: BatchFilter = BatchFilter(),  # noqa: B008 (frozen)
        visibility: Visibility = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> BatchPage:
        """Return the batches that fit, the newest registration first. Raises `InvalidCursor`."""
        query = _ordered(filters, cursor, limit).where(*_wanted(filters), *_visible(visibility))
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            found = _phases_of(connection, [row.batch_id for row in rows[:limit]])
        shown = tuple(_summary(row, found.get(row.batch_id, ())) for row in rows[:limit])
        more = len(rows) > limit
        return BatchPage(shown, _batch_cursor.encode((shown[-1].registered_ms, shown[-1].batch_id)) if more else None)

    def history(
        self, batch_id: str, *, after: str | None = None, limit: int = 100, dispositions: Sequence[Disposition] = ()
    ) -> HistoryPage:
        """Return a batch's history, the oldest first, after the cursor `after`. Raises `InvalidCursor`.

        With `dispositions` only records that have one of them.
        """
        columns = tables.history.c
        order = (columns.time_ms, columns.offset, columns.partition)
        query = select(columns.record, *order).where(columns.batch_id == batch_id).order_by(*order).limit(limit)
        if dispositions:
            query = query.where(columns.disposition.in_([each.value for each in dispositions]))
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*_history_cursor.decode(after)))
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        records = tuple(decode_history(row.record.encode()) for row in rows)
        return HistoryPage(records, _history_cursor.encode(tuple(rows[-1][1:])) if rows else after)

    def by_request(self, request_id: str) -> RequestTrace:
        """Return what came of a request: what was first decided on it, and its newest dead letter."""
        columns = tables.history.c
        query = select(columns.record).where(columns.request_id == request_id).order_by(columns.time_ms, columns.offset)
        with reading(self._engine) as connection:
            record = connection.execute(query.limit(1)).scalar_one_or_none()
        decided: HistoryRecord | None = None if record is None else decode_history(record.encode())
        letters = self.dead_letters(LetterFilter(request_id=request_id), limit=1).letters
        return RequestTrace(decided, letters[0] if letters else None)

    def counts(self) -> StatusCounts:
        """Return how many batches have each status, and each phase in each status."""
        batches, phases = tables.batch_counts.c, tables.phase_counts.c
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            by_status = connection.execute(select(batches.status, batches.batches).where(batches.batches != 0)).all()
            rows = connection.execute(select(phases.phase, phases.status, phases.batches).where(phases.batches != 0))
            for phase, status, number in rows:
                found.setdefault(phase, {})[status] = number
        return StatusCounts(batches={row[0]: row[1] for row in by_status}, phases=found)

    def chain_breaks(self, limit: int = 100) -> tuple[ChainBreak, ...]:
        """Return the newest breaks of a batch's chain of versions; each tells of lost state."""
        table = tables.chain_breaks
        query = select(table).order_by(table.c.time_ms.desc(), table.c.offset.desc()).limit(limit)
        with reading(self._engine) as connection:
            return tuple(ChainBreak(**row) for row in connection.execute(query).mappings())


def _ordered(filters: BatchFilter, cursor: str | None, limit: int) -> Select[Any]:
    """Order by the table whose index leads: that of phases, where they are filtered by."""
    batches, phases = tables.batches, tables.phases
    query: Select[Any] = select(*_SUMMARY)
    place = (batches.c.registered_ms, batches.c.batch_id)
    if filters.phase is not None and filters.phase_status is not None:
        query = query.join_from(phases, batches, phases.c.batch_id == batches.c.batch_id)
        query = query.where(phases.c.phase == filters.phase, phases.c.status == filters.phase_status.value)
        place = (phases.c.registered_ms, phases.c.batch_id)
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*_batch_cursor.decode(cursor)))
    return query.order_by(*(column.desc() for column in place)).limit(limit + 1)


def _wanted(filters: BatchFilter) -> list[ColumnElement[bool]]:
    columns, phases = tables.batches.c, tables.phases.c
    exact = {
        "user_id": filters.user,
        "organisation": filters.organisation,
        "owner_subject": filters.owner,
        "course": filters.course,
    }
    wanted = [columns[name] == value for name, value in exact.items() if value is not None]
    if filters.status:
        wanted.append(columns.status.in_([status.value for status in filters.status]))
    if filters.created_from_ms is not None:
        wanted.append(columns.registered_ms >= filters.created_from_ms)
    if filters.created_before_ms is not None:
        wanted.append(columns.registered_ms < filters.created_before_ms)
    if (filters.phase is None) != (filters.phase_status is None):
        phase = and_(
            phases.batch_id == columns.batch_id,
            phases.phase == filters.phase
            if filters.phase_status is None
            else phases.status == filters.phase_status.value,
        )
        wanted.append(select(phases.batch_id).where(phase).exists())
    return wanted


def _visible(visibility: Visibility) -> list[ColumnElement[bool]]:
    columns = tables.batches.c
    limits = {
        columns.owner_subject: visibility.owner_subject,
        columns.owner_organisation: visibility.owner_organisation,
    }
    return [column == value for column, value in limits.items() if value is not None]


def _phases_of(connection: Connection, batch_ids: list[str]) -> dict[str, tuple[PhaseSummary, ...]]:
    position = tables.phases.c.position
    rows = sorted(
        select_by_batch(connection, (*_PHASE, position), batch_ids), key=lambda row: (row.batch_id, row.position)
    )
    found: dict[str, tuple[PhaseSummary, ...]] = {}
    for row in rows:
        facts = {name: getattr(row, name) for name in PhaseSummary.__struct_fields__}
        phase = PhaseSummary(**{**facts, "status": PhaseStatus(row.status)})
        found[row.batch_id] = (*found.get(row.batch_id, ()), phase)
    return found


def _summary(row: Any, phases: tuple[PhaseSummary, ...]) -> BatchSummary:
    return BatchSummary(**{**row._mapping, "status": BatchStatus(row.status), "phases": phases})  # noqa: SLF001
