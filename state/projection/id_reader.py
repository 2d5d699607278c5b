"""What an id stands for, or the beginning of one."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select, tuple_

from state.projection import tables
from state.projection.batch_models import SHORTEST_PREFIX, IdKind, Resolved
from state.projection.engine import reading
from state.projection.event_keys import KeyKind, decode_telling, key_ranges, told_ids
from state.projection.id_runs import told_places
from state.projection.sql import asked

_MOST = 20
"""Candidates of each kind."""
_ORDER = (IdKind.BATCH, IdKind.CORRELATION, IdKind.REQUEST, IdKind.DEAD_LETTER, IdKind.EVENT)
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
            found = [*_rows(connection, text), *_told(connection, text)]
            found.sort(key=lambda each: _ORDER.index(each.kind))
        if len(text) < SHORTEST_PREFIX:
            found = [each for each in found if each.id == text]
        return tuple(dict.fromkeys(found))


def _rows(connection: Connection, text: str) -> Iterator[Resolved]:
    batches, letters = tables.batches.c, tables.dead_letters.c
    kinds: tuple[tuple[IdKind, Any, Any], ...] = (
        (IdKind.BATCH, batches.batch_id, batches.batch_id),
        (IdKind.CORRELATION, batches.correlation_id, batches.batch_id),
        (IdKind.DEAD_LETTER, letters.id, letters.batch_id),
    )
    for kind, column, batch_id in kinds:
        # The whole id on its own: its beginning can be that of very many.
        for wanted in (column == text, _begins(column, text)):
            for row in connection.execute(select(column, batch_id.label("about")).where(wanted).limit(_MOST)):
                yield Resolved(kind=kind, id=row[0], batch_id=row[1])


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return (column >= text) & (column < text + _BEYOND)


def _told(connection: Connection, text: str) -> Iterator[Resolved]:
    """Yield the requests and events of the history with ids that begin with a text."""
    history = tables.history.c
    place = tuple_(history.partition, history.offset, history.time_ms)
    for kind, resolved in ((KeyKind.REQUEST, IdKind.REQUEST), (KeyKind.EVENT, IdKind.EVENT)):
        found: set[tuple[Any, ...]] = set()
        for first, last in key_ranges(kind, text):
            wanted = told_places(first, None if first == last else last).limit(_MOST)
            found.update(tuple(row) for row in connection.execute(wanted))
        if not found:
            continue
        query = select(history.record, history.request_id, history.batch_id).where(place.in_(found))
        for record, request_id, batch_id in connection.execute(query.order_by(history.time_ms)):
            ids = [request_id or ""] if kind is KeyKind.REQUEST else sorted(told_ids(decode_telling(record.encode())))
            for each in ids:
                if each.startswith(text):
                    yield Resolved(kind=resolved, id=each, batch_id=batch_id)
