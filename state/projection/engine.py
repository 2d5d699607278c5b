"""The projection database: its engine (SQLite as one file, or PostgreSQL by URL), and what makes it unusable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from schemas.errors import Code, ConfigurationError, ProjectionError

BUSY_TIMEOUT_S = 5.0
"""How long a SQLite connection waits for another one's lock before it reports the database as locked."""
_NETWORK = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""libpq's parameters (seconds, the last one milliseconds): a server whose machine is gone is noticed in half a minute,
not in hours. One that the URL gives wins."""
SETTING = "BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL"
_LAST_PORT = 65_535
_BEGIN = "sqlite_begin"
_FILE = "file"
_CACHE_KIB = 65_536
"""Pages that a connection keeps: with a million batches, SQLite's 2 MB do not hold the inner pages of the indexes."""
_READERS_CACHE_KIB = 8_192
"""The same of a connection that only reads, of which there are several in a process."""
CHECKPOINT_BYTES = 32 * 1_048_576
"""Length of SQLite's write-ahead log from which it is copied into the database. A page that changes with every
transaction is copied once for all of them; what a start after a crash reads again is longer with it."""
_PAGE_BYTES = 4_096
_OWN_CHECKPOINT_PAGES = 4 * CHECKPOINT_BYTES // _PAGE_BYTES
"""Pages of the log at which the writer makes the checkpoint itself: it comes to that where no other thread does."""
UNLOCKED = "bos_unlocked"
"""Execution option of an engine whose projection has one writer alone, and no readers."""


def open_engine(url: str, *, reads_within_s: float | None = None, schema: str | None = None) -> Engine:
    """Return an engine for `url`; nothing is connected yet. Raises `ConfigurationError` for a URL it cannot serve.

    `reads_within_s` is for an engine that only reads, and is watched by `ReadInterrupts`: a shorter wait for locks,
    and no ping by the pool, which nothing could end. `schema` is that of PostgreSQL in which the tables lie.
    """
    try:
        parsed = make_url(url)
        if parsed.port is not None and not 1 <= parsed.port <= _LAST_PORT:
            raise ValueError(f"{parsed.port} is no port")  # noqa: TRY301 - told as every other fault of the URL
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite(url, min(BUSY_TIMEOUT_S, reads_within_s or BUSY_TIMEOUT_S), reads=reads_within_s is not None)
        if backend == "postgresql":
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            network: dict[str, Any] = {name: value for name, value in _NETWORK.items() if name not in parsed.query}
            if schema is not None:
                network["options"] = f"{parsed.query.get('options', '')} -c search_path={schema}"
                parsed = parsed.difference_update_query(["options"])
            return create_engine(parsed, pool_pre_ping=reads_within_s is None, connect_args=network)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{SETTING}: the projection cannot use its database URL: {error}",
            next_step=f"Set {SETTING} to sqlite:///FILE, or install the extra `postgres` for postgresql://….",
        ) from error
    raise ConfigurationError(
        f"{SETTING}: the projection has no support for {backend}.",
        next_step=f"Set {SETTING} to sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
    )


def sqlite_url(file: Path) -> str:
    """Return the URL of a SQLite database, with every character of its path as it is."""
    return URL.create("sqlite", database=str(file)).render_as_string()


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


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database. Raises `ProjectionError` where it cannot be reached or has no schema."""
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                # One view for all statements of a call, as SQLite gives it.
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection
    except SQLAlchemyError as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        raise ProjectionError(
            f"The projection database cannot be read: {said}.",
            next_step="See that the projector has run once against it, and that it can be reached at "
            "BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL.",
        ) from error


@contextmanager
def pinned(engine: Engine) -> Iterator[Connection]:
    """One view of the database that does not move, however long it is looked at."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        connection.execute(text("SELECT 1"))
        if connection.dialect.name == "sqlite":
            connection.execute(text("SELECT count(*) FROM sqlite_master"))  # the view begins with what is read first
        yield connection


def require_not_ahead(place: str, projected: int, end: int) -> None:
    """Raise `ProjectionError` where a partition ends before the next offset that the projection is to read from it."""
    if projected > end:
        raise ProjectionError(
            f"The projection has read {place} up to offset {projected}, but it ends at {end}: the topic was deleted "
            "and created again.",
            code=Code.PROJECTION_AHEAD,
            next_step="Delete the projection database, or point BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL at a new "
            "one: the projector rebuilds it from Kafka.",
        )


class _HintingCompiler(SQLiteCompiler):
    """Writes the hints of a statement (`INDEXED BY …`), which SQLAlchemy leaves out for SQLite."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:  # noqa: ARG002
        return text


def _sqlite(url: str, busy_timeout_s: float, *, reads: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": busy_timeout_s})
    engine.dialect.statement_compiler = _HintingCompiler
    file = database_file(engine)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        # Transactions are begun below, by name; the driver's own guesses about them are off.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # A power cut can cost the last transactions, never the file. Their offsets go with them: Kafka has the rest.
        connection.execute("PRAGMA synchronous=NORMAL")
        # The log is as long as what is not yet copied, which `checkpoints` looks at, not as the longest there ever was.
        connection.execute("PRAGMA journal_size_limit=0")
        connection.execute(f"PRAGMA wal_autocheckpoint={_OWN_CHECKPOINT_PAGES}")
        # Some builds overwrite whatever is deleted with zeros, which writes pages that are free.
        connection.execute("PRAGMA secure_delete=FAST")
        connection.execute(f"PRAGMA cache_size=-{_READERS_CACHE_KIB if reads else _CACHE_KIB}")
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
