"""Reading dead letters."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Engine, func, select, tuple_

from schemas.internal.dead_letters import parse_dead_letter
from state.projection import tables
from state.projection.apply_dead_letters import decode_headers
from state.projection.cursors import CursorCodec
from state.projection.engine import reading
from state.projection.models import ANY_LETTER, LetterFilter, LetterGroup, LetterPage, StoredLetter

_cursor = CursorCodec(tuple[int, str])
_columns = tables.dead_letters.c
_LISTED = (
    _columns.id,
    _columns.headers,
    _columns.state,
    _columns.time_ms,
    _columns.letter_offset,
    _columns.log_partition,
    _columns.batch_id,
)


class LetterReader:
    """The dead letters of the projection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def dead_letter(self, dead_letter_id: str) -> StoredLetter | None:
        """Return a dead letter with its value; None where there is none."""
        query = select(*_LISTED, _columns.value).where(_columns.id == dead_letter_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _stored(row, row.value)

    def dead_letter_state(self, dead_letter_id: str) -> tuple[str, int] | None:
        """Return the state of a dead letter, and the offset of its newest dead letter record; None if there is none."""
        query = select(_columns.state, _columns.letter_offset).where(_columns.id == dead_letter_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.state, row.letter_offset)

    def dead_letters(
        self, filters: LetterFilter = ANY_LETTER, *, cursor: str | None = None, limit: int = 50
    ) -> LetterPage:
        """Return the dead letters that fit, the newest first, without their values. Raises `InvalidCursor`."""
        query = select(*_LISTED).where(*_wanted(filters))
        if cursor is not None:
            query = query.where(tuple_(_columns.time_ms, _columns.id) < tuple_(*_cursor.decode(cursor)))
        query = query.order_by(_columns.time_ms.desc(), _columns.id.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        more = len(rows) > limit
        letters = tuple(_stored(row, None) for row in rows[:limit])
        return LetterPage(letters, _cursor.encode((rows[limit - 1].time_ms, rows[limit - 1].id)) if more else None)

    def count_dead_letters(self, filters: LetterFilter = ANY_LETTER) -> int:
        """Return how many dead letters fit."""
        query = select(func.count()).select_from(tables.dead_letters).where(*_wanted(filters))
        with reading(self._engine) as connection:
            found: int = connection.execute(query).scalar_one()
        return found

    def dead_letter_ids(self, filters: LetterFilter, *, limit: int) -> tuple[str, ...]:
        """Return the ids of the dead letters that fit, the oldest first."""
        order = (_columns.time_ms, _columns.topic, _columns.partition, _columns.offset)
        query = select(_columns.id).where(*_wanted(filters)).order_by(*order).limit(limit)
        with reading(self._engine) as connection:
            return tuple(connection.execute(query).scalars())

    def dead_letter_groups(self, filters: LetterFilter = ANY_LETTER) -> tuple[LetterGroup, ...]:
        """Return the dead letters that fit, grouped by code and first topic, the largest group first."""
        count = func.count()
        by = (_columns.code, _columns.topic)
        query = select(*by, count, func.min(_columns.time_ms), func.max(_columns.time_ms)).where(*_wanted(filters))
        query = query.group_by(*by).order_by(count.desc(), *by)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return tuple(
            LetterGroup(code=code, topic=topic, count=number, first_ms=first, last_ms=last)
            for code, topic, number, first, last in rows
        )


def _wanted(filters: LetterFilter) -> list[ColumnElement[bool]]:
    exact = {
        _columns.code: filters.code,
        _columns.topic: filters.topic,
        _columns.batch_id: filters.batch_id,
        _columns.state: filters.state,
        _columns.request_id: filters.request_id,
    }
    wanted = [column == value for column, value in exact.items() if value is not None]
    if filters.since_ms is not None:
        wanted.append(_columns.time_ms >= filters.since_ms)
    if filters.until_ms is not None:
        wanted.append(_columns.time_ms < filters.until_ms)
    return wanted


def _stored(row: Any, value: bytes | None) -> StoredLetter:
    headers = decode_headers(row.headers)
    letter = parse_dead_letter(row.id.encode(), dict(headers), value)
    return StoredLetter(
        letter=replace(letter, value=value),
        state=row.state,
        time_ms=row.time_ms,
        letter_offset=row.letter_offset,
        log_partition=row.log_partition,
        batch_id=row.batch_id,
        headers=headers,
    )
