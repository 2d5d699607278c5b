"""Every test of the projection runs on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from state.projection import Identity, Reader, Writer, open_engine
from tests.unit.state.projection.postgres import PostgresServer, postgres_server

IDENTITY = Identity("cluster", "inbox")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/projection.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.empty_database() as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Writer:
    writer = Writer(engine)
    writer.prepare(IDENTITY)
    return writer


@pytest.fixture
def reader(engine: Engine, writer: Writer) -> Reader:
    return Reader(engine)
