"""The projection database as the api reads it: what becomes of its connections."""

import sqlite3
from pathlib import Path

import pytest

from api.queries.projection import DatabaseProjection
from state.projection import Identity, Writer, open_engine

IDENTITY = Identity("cluster", "inbox")


def test_a_connection_that_is_being_read_from_at_the_end_is_closed_after_the_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/projection.db"
    engine = open_engine(url)
    Writer(engine).prepare(IDENTITY)
    engine.dispose()
    projection = DatabaseProjection(url, lambda: IDENTITY, timeout_s=60)
    assert projection.offsets() == {}
    with projection._engine.connect() as reading:
        used = reading.connection.dbapi_connection
        assert used is not None
        projection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        used.execute("SELECT 1")
