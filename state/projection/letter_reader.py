"""Reading dead letters."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import Engine, select, tuple_

from schemas.internal.dead_letters import parse_dead_letter
from state.projection import tables
from state.projection.apply_dead_letters import decode_headers
from state.projection.cursors import CursorCodec
from state.projection.engine import reading
from state.projection.models import LetterPage, StoredLetter

_cursor = CursorCodec(tuple[int, str])
_LISTED = (
    tables.dead_letters.c.id,
    tables.dead_letters.c.headers,
    tables.dead_letters.c.state,
    tables.dead_letters.c.time_ms,
)


class LetterReader:
    """The dead letters of the projection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def dead_letter(self, dead_letter_id: str) -> StoredLetter | None:
        """Return a dead letter with its value; None where there is none."""
        columns = tables.dead_letters.c
        query = select(*_LISTED, columns.value).where(columns.id == dead_letter_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _stored(row, row.value)

    def dead_letters(
        self,
        *,
        code: str | None = None,
        topic: str | None = None,
        state: str | None = None,
        request_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> LetterPage:
        """Return the dead letters that fit, the newest first, without their values. Raises `InvalidCursor`."""
        columns = tables.dead_letters.c
        exact = {"code": code, "topic": topic, "state": state, "request_id": request_id}
        query = select(*_LISTED).where(*(columns[name] == value for name, value in exact.items() if value is not None))
        if cursor is not None:
            query = query.where(tuple_(columns.time_ms, columns.id) < tuple_(*_cursor.decode(cursor)))
        query = query.order_by(columns.time_ms.desc(), columns.id.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        more = len(rows) > limit
        letters = tuple(_stored(row, None) for row in rows[:limit])
        return LetterPage(letters, _cursor.encode((rows[limit - 1].time_ms, rows[limit - 1].id)) if more else None)


def _stored(row: Any, value: bytes | None) -> StoredLetter:
    letter = parse_dead_letter(row.id.encode(), dict(decode_headers(row.headers)), value)
    return StoredLetter(letter=replace(letter, value=value), state=row.state, time_ms=row.time_ms)
