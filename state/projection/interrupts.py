"""Ending a read of the projection database from another thread, whatever the database does.

A statement timeout is of no use where the server does not answer at all; only the client's end of the connection can
be relied on then.
"""

import os
import socket
import weakref
from collections.abc import Callable
from threading import get_ident
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

_INTERRUPT = "interrupt"
Interrupt = Callable[[], None]


class ReadInterrupts:
    """Knows which thread works on which connection of an engine made by `open_engine(url, reads_within_s=…)`."""

    def __init__(self, engine: Engine, *, statement_timeout_s: float) -> None:
        self._working: dict[int, Interrupt] = {}
        self._closing = False
        self._dialect = engine.dialect
        self._statement_timeout_ms = max(1, int(statement_timeout_s * 1000))
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "checkout", self._checkout)
        event.listen(engine, "checkin", self._checkin)

    def interrupt(self, thread: int) -> None:
        """Make what the thread of this identifier asks the database fail now; nothing where it asks nothing."""
        interrupt = self._working.get(thread)
        if interrupt is not None:
            interrupt()

    def close_at_checkin(self) -> None:
        """Have each connection closed by the thread that gives it back: a disposed pool would keep it open."""
        self._closing = True

    def _connect(self, dialect: Dialect, record: ConnectionPoolEntry, arguments: Any, options: Any) -> Any:
        # Here, and not in "connect": what SQLAlchemy asks of a first connection comes before that event.
        connection = dialect.connect(*arguments, **options)
        record.info[_INTERRUPT] = self._working[get_ident()] = _interrupt_of(connection)
        if dialect.name == "postgresql":
            cursor = connection.cursor()
            cursor.execute(f"SET statement_timeout = {self._statement_timeout_ms}")
            cursor.close()
            connection.commit()
        return connection

    def _checkout(self, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        self._working[get_ident()] = record.info[_INTERRUPT]
        if self._dialect.name != "postgresql":
            return
        # In place of the pool's own ping, which comes before this event and so could not be interrupted.
        try:
            self._dialect.do_ping(connection)
        except self._dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error

    def _checkin(self, connection: Any, _record: ConnectionPoolEntry) -> None:
        self._working.pop(get_ident(), None)
        if self._closing and connection is not None:
            connection.close()


def _interrupt_of(connection: Any) -> Interrupt:
    if hasattr(connection, "interrupt"):  # SQLite
        return lambda: _unless_closed(connection.interrupt)
    # A descriptor of its own, so that a connection closed meanwhile cannot lend its number to a stranger's socket.
    own = socket.socket(fileno=os.dup(connection.fileno()))
    weakref.finalize(connection, own.close)
    return lambda: _unless_closed(lambda: own.shutdown(socket.SHUT_RDWR))


def _unless_closed(interrupt: Interrupt) -> None:
    try:
        interrupt()
    except Exception:  # noqa: BLE001 - each driver has its own error for a connection that is closed already
        return
