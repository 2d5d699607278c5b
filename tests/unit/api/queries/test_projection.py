"""The projection database as the api reads it: what becomes of its connections."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from api.queries.projection import DatabaseProjection
from state.projection import Identity, Writer, open_engine

IDENTITY = Identity("cluster", "inbox")


@pytest.fixture
def projection(tmp_path: Path) -> Iterator[DatabaseProjection]:
    url = f"sqlite:///{tmp_path}/projection.db"
    engine = open_engine(url)
    Writer(engine).prepare(IDENTITY)
    engine.dispose()
    with closing(DatabaseProjection(url, lambda: IDENTITY, timeout_s=60)) as reads:
        yield reads


def test_the_schema_is_looked_at_once_for_each_connection(projection: DatabaseProjection) -> None:
    looked: list[str] = []

    @event.listens_for(projection._engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "SELECT" in statement and "alembic_version" in statement:
            looked.append(statement)

    seen = 0
    for _ in range(2):
        assert projection.offsets() == {}
        assert len(looked) > seen
        seen = len(looked)
        for _ in range(5):
            projection.offsets()
            projection.get("b")
        assert len(looked) == seen
        projection._engine.dispose()  # the next connection can lead to another database


def test_a_connection_that_is_read_from_at_the_end_is_closed_after_the_read(
    projection: DatabaseProjection,
) -> None:
    with projection._engine.connect() as reading:
        used = reading.connection.dbapi_connection
        assert used is not None
        projection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        used.execute("SELECT 1")
