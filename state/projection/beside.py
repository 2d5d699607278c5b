"""A new projection beside the live one, which it replaces at once.

SQLite: the new one is a file of its own, and the database's name a symbolic link to it. A link is replaced in one
step, and each file keeps its own write-ahead log under its own name, so that a process that still has the old file open
cannot touch the new one. PostgreSQL: the new one fills a schema, and its tables change places with the live ones in one
transaction.

While they change places no writer works, and the new one has all that the old one had: readers see no step back, and a
projector that goes on where it was leaves nothing out.
"""

import fcntl
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select, text

from schemas.errors import ProjectionError
from schemas.topics import Topic
from state.projection import tables
from state.projection.engine import UNLOCKED, database_file, for_writing, open_engine, sqlite_url
from state.projection.models import Identity
from state.projection.schema import is_current
from state.projection.sql import lock

Offsets = Mapping[tuple[Topic, int], int]
CatchUp = Callable[[Offsets], None]
"""Fills the new projection at least up to these offsets."""
_FRESH, _OLD = "bos_projection_fresh", "bos_projection_old"
_REBUILD_LOCK = 0x626F735F66726573
_VERSION = "alembic_version"


class Beside(ABC):
    """The live projection, and a new one; a context manager that removes what was not swapped in."""

    def __init__(self, live: Engine, fresh: Engine) -> None:
        self.live = live
        self.fresh = fresh

    def held(self, connection: Connection) -> tuple[Identity | None, Offsets]:
        """Return whose records the live projection holds and where it is; None and nothing where it cannot be used."""
        try:
            if not is_current(connection):
                return None, {}
        except ProjectionError:
            return None, {}
        columns, offsets = tables.identity.c, tables.offsets.c
        row = connection.execute(select(columns.cluster_id, columns.inbox_topic_id)).one_or_none()
        rows = connection.execute(select(offsets.topic, offsets.partition, offsets.next_offset))
        found = {(Topic(topic), partition): offset for topic, partition, offset in rows}
        return None if row is None else Identity(*row), found

    def swap(self, identity: Identity, catch_up: CatchUp) -> None:
        """Put the new projection in the place of the live one, when it has all that the live one has."""
        with self._stopped() as connection:
            holds, offsets = (None, {}) if connection is None else self.held(connection)
            if holds == identity:
                catch_up(offsets)
            self.fresh.dispose()
            self._replace(connection)

    @abstractmethod
    def _stopped(self) -> AbstractContextManager[Connection | None]:
        """Return a context manager in which no writer of the live projection works; None where there is none."""

    @abstractmethod
    def _replace(self, connection: Connection | None) -> None:
        """Let the two change places."""

    @abstractmethod
    def clear(self) -> None:
        """Remove the new projection, unless it was swapped in."""


@contextmanager
def beside(url: str) -> Iterator[Beside]:
    """Make an empty database beside the live one. Raises `ProjectionError` where a rebuild runs already."""
    live = open_engine(url)
    try:
        with _files(live) if live.dialect.name == "sqlite" else _schemas(live, url) as pair:
            try:
                yield pair
            finally:
                pair.fresh.dispose()
                pair.clear()
    finally:
        live.dispose()


class _Files(Beside):
    def __init__(self, live: Engine, name: Path, file: Path) -> None:
        super().__init__(live, open_engine(sqlite_url(file)))
        self._name, self._file = name, file
        self._swapped = False

    @contextmanager
    def _stopped(self) -> Iterator[Connection | None]:
        if not self._name.exists():
            yield None
            return
        with for_writing(self.live).connect() as connection, connection.begin():
            yield connection

    def _replace(self, connection: Connection | None) -> None:  # noqa: ARG002
        old = self._name.resolve()
        link = self._name.with_name(f"{self._name.name}.link")
        link.unlink(missing_ok=True)
        link.symlink_to(self._file.name)
        _sync(self._file)
        link.replace(self._name)
        self._swapped = True
        _sync(self._name.parent)
        _remove(old, keep_main=old == self._name)

    def clear(self) -> None:
        if not self._swapped:
            _remove(self._file)


@contextmanager
def _files(live: Engine) -> Iterator[_Files]:
    name = database_file(live)
    if name is None:
        raise ProjectionError(
            "A projection in memory cannot be rebuilt.", next_step="Point PROJECTION_URL at a file or at PostgreSQL."
        )
    name.parent.mkdir(parents=True, exist_ok=True)
    with name.with_name(f"{name.name}.rebuild").open("w") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _running() from error
        used = name.resolve().name
        number = next(n for n in range(1, 1_000_000) if f"{name.name}.{n}" != used)
        file = name.with_name(f"{name.name}.{number}")
        _remove(file)  # what a rebuild left that was killed
        yield _Files(live, name, file)


class _Schemas(Beside):
    def __init__(self, live: Engine, url: str, schema: str) -> None:
        fresh = open_engine(url, schema=_FRESH).execution_options(**{UNLOCKED: True})
        super().__init__(live, fresh)
        self._schema = schema

    @contextmanager
    def _stopped(self) -> Iterator[Connection | None]:
        with self.live.connect() as connection, connection.begin():
            lock(connection)
            yield connection

    def _replace(self, connection: Connection | None) -> None:
        assert connection is not None
        inspector = inspect(connection)
        for table in (*(table.name for table in tables.metadata.sorted_tables), _VERSION):
            if inspector.has_table(table, schema=self._schema):
                connection.execute(text(f'ALTER TABLE "{self._schema}"."{table}" SET SCHEMA {_OLD}'))
            connection.execute(text(f'ALTER TABLE {_FRESH}."{table}" SET SCHEMA "{self._schema}"'))

    def clear(self) -> None:
        with self.live.begin() as connection:
            _drop(connection)


@contextmanager
def _schemas(live: Engine, url: str) -> Iterator[_Schemas]:
    with live.connect() as guard:
        if not guard.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _REBUILD_LOCK}).scalar_one():
            raise _running()
        guard.commit()
        try:
            with live.begin() as connection:
                _drop(connection)
                for schema in (_FRESH, _OLD):
                    connection.execute(text(f"CREATE SCHEMA {schema}"))
                schema = connection.execute(text("SELECT current_schema()")).scalar_one()
            yield _Schemas(live, url, schema)
        finally:
            guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _REBUILD_LOCK})
            guard.commit()


def _drop(connection: Connection) -> None:
    for schema in (_FRESH, _OLD):
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


def _running() -> ProjectionError:
    return ProjectionError(
        "Another rebuild or comparison of this projection runs.", next_step="Wait until it has ended, or end it."
    )


def _remove(file: Path, *, keep_main: bool = False) -> None:
    """Remove a database with the files beside it."""
    for each in (*(() if keep_main else (file,)), Path(f"{file}-wal"), Path(f"{file}-shm")):
        each.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
