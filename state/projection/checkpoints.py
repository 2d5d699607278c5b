"""Checkpoints of SQLite's write-ahead log, in a thread of their own.

A checkpoint copies pages from the log into the database and waits for the disk. Done by the writer, as SQLite does by
default, each thousandth page would make a transaction wait for it; and a page that changes with every transaction would
be copied each time.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Engine

from state.projection.engine import BUSY_TIMEOUT_S, CHECKPOINT_BYTES, database_file

_LOOK_EVERY_S = 0.5
_TRUNCATE_BYTES = 4 * CHECKPOINT_BYTES
"""Size of a log that passive checkpoints do not bring to an end, because some reader always looks at it."""


@contextmanager
def checkpointing(engine: Engine, report: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Keep the log of a SQLite database short while the context lasts; of no effect on PostgreSQL.

    `report` is called with what prevented a checkpoint. The next one is tried again, and the writer makes one itself
    when its log grows too long.
    """
    file = database_file(engine)
    if file is None:
        yield
        return
    ended = Event()
    thread = Thread(target=_work, args=(file, ended, report), name="projection-checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(BUSY_TIMEOUT_S)


def checkpoint(file: Path) -> bool:
    """Copy the log of this database into it if it is long enough; return whether it was.

    A passive checkpoint waits for nobody, and nobody for it. The writer begins the log anew once all of it was copied
    and no reader needs it. Where that does not come to pass, one is made that waits for readers and empties the log.
    """
    log = Path(f"{file.resolve()}-wal")
    if not log.exists() or (size := log.stat().st_size) < CHECKPOINT_BYTES:
        return False
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=1.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if size >= _TRUNCATE_BYTES:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def _work(file: Path, ended: Event, report: Callable[[str], None]) -> None:
    while not ended.wait(_LOOK_EVERY_S):
        try:
            checkpoint(file)
        except (sqlite3.Error, OSError) as error:
            report(str(error))
