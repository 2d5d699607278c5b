"""Lists of batches."""

from collections.abc import Callable
from time import time_ns

from sqlalchemy import Engine, func, select

from schemas.internal.dead_letters import OPEN
from schemas.internal.records import decode_status
from schemas.internal.status import StatusRecord
from state.projection import tables
from state.projection.batch_models import ANY_BATCH, EVERYTHING, BatchFilter, BatchPage, Visibility
from state.projection.batch_query import BatchQuery, Order
from state.projection.cursors import CursorCodec
from state.projection.engine import reading
from state.projection.sql import asked, select_by_batch

_cursor = CursorCodec(tuple[int, str])


def now_ms() -> int:
    """Return the time of this machine, Unix milliseconds."""
    return time_ns() // 1_000_000


class BatchReader:
    """The batches of the projection. `clock_ms` decides which failures are less than a day old."""

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock_ms = clock_ms

    def get(self, batch_id: str, visibility: Visibility = EVERYTHING) -> StatusRecord | None:
        """Return a batch's snapshot; None where there is none, or none that may be seen."""
        query = select(tables.snapshots.c.snapshot).where(tables.snapshots.c.batch_id == asked(batch_id))
        with reading(self._engine) as connection:
            snapshot = connection.execute(query).scalar_one_or_none()
        if snapshot is None:
            return None
        record: StatusRecord = decode_status(snapshot.encode())
        owner = (visibility.owner_subject, visibility.owner_organisation)
        held = (record.owner_subject, record.owner_organisation)
        return record if all(wanted in (None, is_) for wanted, is_ in zip(owner, held, strict=True)) else None

    def list(
        self,
        filters: BatchFilter = ANY_BATCH,
        visibility: Visibility = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
        newest_first: bool = True,
    ) -> BatchPage:
        """Return the batches that fit, in the order of their registration. Raises `InvalidCursor`."""
        order = Order(newest_first, None if cursor is None else _cursor.decode(cursor))
        columns = (tables.snapshots.c.batch_id, tables.snapshots.c.snapshot)
        with reading(self._engine) as connection:
            places = BatchQuery(connection, filters, visibility, self._clock_ms()).places(order, limit + 1)
            shown = [batch_id for _, batch_id in places[:limit]]
            found = {row.batch_id: row.snapshot for row in select_by_batch(connection, columns, shown)}
        batches = tuple(decode_status(found[batch_id].encode()) for batch_id in shown)
        return BatchPage(batches, _cursor.encode(places[limit - 1]) if len(places) > limit else None)

    def ids(
        self,
        filters: BatchFilter = ANY_BATCH,
        visibility: Visibility = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 1_000,
    ) -> tuple[tuple[str, ...], str | None]:
        """Return the ids of the batches that fit, the oldest first, and the cursor of what follows (None at the end).

        What is registered meanwhile comes last, so that going through all pages misses none.
        """
        order = Order(newest_first=False, after=None if cursor is None else _cursor.decode(cursor))
        with reading(self._engine) as connection:
            places = BatchQuery(connection, filters, visibility, self._clock_ms()).places(order, limit + 1)
        ids = tuple(batch_id for _, batch_id in places[:limit])
        return ids, _cursor.encode(places[limit - 1]) if len(places) > limit else None

    def count(self, filters: BatchFilter = ANY_BATCH, visibility: Visibility = EVERYTHING, *, most: int) -> int:
        """Return how many batches fit, at most `most`: so many are counted and no more."""
        with reading(self._engine) as connection:
            return BatchQuery(connection, filters, visibility, self._clock_ms()).count(most)

    def open_letters(self, batch_ids: tuple[str, ...]) -> dict[str, int]:
        """Return how many open dead letters each of these batches has; those without are left out."""
        columns = tables.dead_letters.c
        query = select(columns.batch_id, func.count()).where(columns.state == OPEN, columns.batch_id.in_(batch_ids))
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(columns.batch_id))}

    def as_of(self) -> int:
        """Return the newest append time that the projection reflects, Unix milliseconds; 0 where it is empty."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(tables.offsets.c.time_ms))).scalar_one() or 0
