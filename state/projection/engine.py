"""Engines for the projection database: SQLite as one file, or PostgreSQL by URL."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from schemas.errors import ConfigurationError

BUSY_TIMEOUT_S = 5.0
"""How long a SQLite connection waits for another one's lock before it reports the database as locked."""
SETTING = "BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL"
_LAST_PORT = 65_535
_BEGIN = "sqlite_begin"
_FILE = "file"


def open_engine(url: str) -> Engine:
    """Return an engine for `url`; nothing is connected yet. Raises `ConfigurationError` for a URL it cannot serve."""
    try:
        parsed = make_url(url)
        if parsed.port is not None and not 1 <= parsed.port <= _LAST_PORT:
            raise ValueError(f"{parsed.port} is no port")  # noqa: TRY301 - told as every other fault of the URL
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite(url)
        if backend == "postgresql":
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{SETTING}: the projection cannot use its database URL: {error}",
            next_step=f"Set {SETTING} to sqlite:///FILE, or install the extra `postgres` for postgresql://….",
        ) from error
    raise ConfigurationError(
        f"{SETTING}: the projection has no support for {backend}.",
        next_step=f"Set {SETTING} to sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
    )


def database_file(engine: Engine) -> Path | None:
    """Return the file of a SQLite database; None for another, or one in memory."""
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name and name != ":memory:" else None


def file_number(file: Path | None) -> int | None:
    """Return what tells a file from another one of the same name; None where there is none."""
    try:
        return None if file is None else file.stat().st_ino
    except FileNotFoundError:
        return None


def for_writing(engine: Engine) -> Engine:
    """Return a view of `engine` whose transactions take SQLite's write lock at once, so that none fails half-way."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    file = database_file(engine)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        # Transactions are begun below, by name; the driver's own guesses about them are off.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # A power cut can cost the last transactions, never the file. Their offsets go with them: Kafka has the rest.
        connection.execute("PRAGMA synchronous=NORMAL")
        record.info[_FILE] = file_number(file)

    @event.listens_for(engine, "checkout")
    def check(_connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info[_FILE] != file_number(file):
            # The file was removed or replaced: this connection still reads the old one. The pool makes another.
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine
