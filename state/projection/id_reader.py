"""What an id stands for, or the beginning of one."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, or_, select, tuple_

from state.projection import tables
from state.projection.batch_models import SHORTEST_PREFIX, IdKind, Resolved
from state.projection.engine import reading
from state.projection.event_keys import decode_telling, key_ranges, told_ids
from state.projection.sql import asked

_MOST = 20
"""Candidates of each kind."""
_BEYOND = "\U0010ffff"
"""Follows every other character, so that what begins with a text lies between it and it with this at its end."""


class IdReader:
    """Finds what ids name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resolve(self, text: str) -> Resolved | None:
        """Return what an id stands for, whole, or a prefix of at least 6 characters that only one id has.

        None where nothing has it, or several. A whole id goes before those that only begin with it.
        """
        found = self.candidates(text) if text else ()
        whole = [each for each in found if each.id == text]
        if whole:
            return whole[0]
        return found[0] if len({each.id for each in found}) == 1 else None

    def candidates(self, text: str) -> tuple[Resolved, ...]:
        """Return what a text can stand for: batches first, then correlations, requests, dead letters and events.

        A text of fewer than 6 characters is taken for a whole id.
        """
        text = asked(text)
        with reading(self._engine) as connection:
            found = [*_rows(connection, text), *_events(connection, text)]
        if len(text) < SHORTEST_PREFIX:
            found = [each for each in found if each.id == text]
        return tuple(dict.fromkeys(found))


def _rows(connection: Connection, text: str) -> Iterator[Resolved]:
    batches, history, letters = tables.batches.c, tables.history.c, tables.dead_letters.c
    kinds: tuple[tuple[IdKind, Any, Any], ...] = (
        (IdKind.BATCH, batches.batch_id, batches.batch_id),
        (IdKind.CORRELATION, batches.correlation_id, batches.batch_id),
        (IdKind.REQUEST, history.request_id, history.batch_id),
        (IdKind.DEAD_LETTER, letters.id, letters.batch_id),
    )
    for kind, column, batch_id in kinds:
        # The whole id on its own: its beginning can be that of very many.
        for wanted in (column == text, _begins(column, text)):
            for row in connection.execute(select(column, batch_id.label("about")).where(wanted).limit(_MOST)):
                yield Resolved(kind=kind, id=row[0], batch_id=row[1])


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return (column >= text) & (column < text + _BEYOND)


def _events(connection: Connection, text: str) -> Iterator[Resolved]:
    ids, history = tables.event_ids.c, tables.history.c
    ranges = or_(*(ids.key.between(first, last) for first, last in key_ranges(text)))
    places = select(ids.partition, ids.offset, ids.time_ms).where(ranges).limit(_MOST)
    place = tuple_(history.partition, history.offset, history.time_ms)
    found = [tuple(row) for row in connection.execute(places)]
    if not found:
        return
    query = select(history.record, history.batch_id).where(place.in_(found)).order_by(history.time_ms)
    for record, batch_id in connection.execute(query):
        for event_id in sorted(told_ids(decode_telling(record.encode()))):
            if event_id.startswith(text):
                yield Resolved(kind=IdKind.EVENT, id=event_id, batch_id=batch_id)
