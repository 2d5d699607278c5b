"""The reader: what the API and the command line ask of the projection."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_

from schemas.internal.enums import Disposition
from schemas.internal.history import HistoryRecord
from schemas.internal.records import decode_history
from schemas.topics import Topic
from state.projection import tables
from state.projection.batch_models import EVERYTHING, Visibility
from state.projection.cursors import CursorCodec
from state.projection.engine import reading
from state.projection.event_keys import CONTROL_KEY, KeyKind, id_key
from state.projection.id_reader import IdReader
from state.projection.id_runs import told_places
from state.projection.letter_reader import LetterReader
from state.projection.models import ChainBreak, HistoryPage, Identity, LetterFilter, RequestTrace
from state.projection.schema import is_current
from state.projection.sql import asked
from state.projection.stats_reader import StatsReader

_history_cursor = CursorCodec(tuple[int, int, int])
_place = tuple_(tables.history.c.partition, tables.history.c.offset, tables.history.c.time_ms)


class Reader(StatsReader, IdReader, LetterReader):
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

    def history(
        self,
        batch_id: str,
        *,
        after: str | None = None,
        limit: int = 100,
        dispositions: Sequence[Disposition] = (),
        newest_first: bool = False,
    ) -> HistoryPage:
        """Return a batch's history, the oldest first, after the cursor `after`. Raises `InvalidCursor`.

        With `dispositions` only records that have one of them. With `newest_first` it goes back in time: a cursor of
        the one order has no meaning in the other.
        """
        columns = tables.history.c
        order = (columns.time_ms, columns.offset, columns.partition)
        sorting = [column.desc() for column in order] if newest_first else order
        told = told_places(id_key(KeyKind.BATCH, batch_id))
        query = select(columns.record, *order).where(_place.in_(told), columns.batch_id == batch_id)
        query = query.order_by(*sorting).limit(limit)
        if dispositions:
            query = query.where(columns.disposition.in_([each.value for each in dispositions]))
        if after is not None:
            place = tuple_(*_history_cursor.decode(after))
            query = query.where(tuple_(*order) < place if newest_first else tuple_(*order) > place)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        records = tuple(decode_history(row.record.encode()) for row in rows)
        return HistoryPage(records, _history_cursor.encode(tuple(rows[-1][1:])) if rows else after)

    def by_request(self, request_id: str) -> RequestTrace:
        """Return what came of a request: what was first decided on it, and its newest dead letter."""
        columns = tables.history.c
        told = told_places(id_key(KeyKind.REQUEST, request_id))
        query = select(columns.record).where(_place.in_(told), columns.request_id == request_id)
        query = query.order_by(columns.time_ms, columns.offset)
        with reading(self._engine) as connection:
            record = connection.execute(query.limit(1)).scalar_one_or_none()
        decided: HistoryRecord | None = None if record is None else decode_history(record.encode())
        letters = self.dead_letters(LetterFilter(request_id=request_id), limit=1).letters
        return RequestTrace(decided, letters[0] if letters else None)

    def control_requests(
        self, visibility: Visibility = EVERYTHING, *, after: str | None = None, limit: int = 50
    ) -> HistoryPage:
        """Return what came of requests to control batches, the newest first. Raises `InvalidCursor`.

        Those about a batch that has been purged, or never was, belong to nobody: only who may see everything does.
        """
        columns = tables.history.c
        order = (columns.time_ms, columns.offset, columns.partition)
        query = select(columns.record, *order).where(_place.in_(told_places(CONTROL_KEY)))
        owned = tables.batches.c
        seen = [
            column == asked(wanted)
            for column, wanted in (
                (owned.owner_subject, visibility.owner_subject),
                (owned.owner_organisation, visibility.owner_organisation),
            )
            if wanted is not None
        ]
        if seen:
            query = query.join(tables.batches, owned.batch_id == columns.batch_id).where(*seen)
        if after is not None:
            query = query.where(tuple_(*order) < tuple_(*_history_cursor.decode(after)))
        query = query.order_by(*(column.desc() for column in order)).limit(limit + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        records = tuple(decode_history(row.record.encode()) for row in rows[:limit])
        more = _history_cursor.encode(tuple(rows[limit - 1][1:])) if len(rows) > limit else None
        return HistoryPage(records, more)

    def chain_breaks(self, limit: int = 100) -> tuple[ChainBreak, ...]:
        """Return the newest breaks of a batch's chain of versions; each tells of lost state."""
        table = tables.chain_breaks
        query = select(table).order_by(table.c.time_ms.desc(), table.c.offset.desc()).limit(limit)
        with reading(self._engine) as connection:
            return tuple(ChainBreak(**row) for row in connection.execute(query).mappings())
