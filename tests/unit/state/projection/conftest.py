"""Every test of the projection runs on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from state.projection import Identity, Reader, Writer, open_engine
from state.projection.schema import migrate
from tests.unit.state.projection.postgres import PostgresServer, postgres_server

IDENTITY = Identity("cluster", "inbox")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the schema and without rows; a copy of it saves a test the migrations."""
    path = tmp_path_factory.mktemp("migrated") / "projection.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database without rows; it may have the schema where the test asks for a writer, which would make it."""
    migrated = "writer" in request.fixturenames
    if request.param == "sqlite":
        if migrated:
            shutil.copy(request.getfixturevalue("migrated_file"), tmp_path)
        yield f"sqlite:///{tmp_path}/projection.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database(migrated=migrated) as url:
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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def read_only_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with the schema that the tests of a module fill once and then only read."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            copy = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path_factory.mktemp("read-only"))
            url = f"sqlite:///{copy}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            url = stack.enter_context(server.database(migrated=True))
        engine = open_engine(url)
        stack.callback(engine.dispose)
        yield engine


@pytest.fixture
def reader(engine: Engine, writer: Writer) -> Reader:
    return Reader(engine)
