"""Real projection databases that can be made to hang."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import make_url, text

from schemas.topics import Topic
from state.projection import Identity, ProjectedRecord, Writer, open_engine
from tests.unit.api.memory import MemoryCluster

IDENTITY = Identity("cluster", "inbox")
_HOLD_SHARED_MEMORY = """
import fcntl, sys
with open(sys.argv[1], "rb+") as shared:
    fcntl.lockf(shared, fcntl.LOCK_EX, 8, 120)
    print("held", flush=True)
    sys.stdin.read()
"""
"""Takes every lock that a connection of SQLite's WAL mode needs to begin to read or write."""


@contextmanager
def sqlite_held(file: Path) -> Iterator[None]:
    """Have another process hold the database exclusively."""
    shared = file.with_name(f"{file.name}-shm")
    command = [sys.executable, "-c", _HOLD_SHARED_MEMORY, str(shared)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        assert holder.stdin is not None
        holder.stdin.close()


@contextmanager
def postgres_held(url: str) -> Iterator[None]:
    """Hold the tables that the api reads."""
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE alembic_version, identity, offsets, batches IN ACCESS EXCLUSIVE MODE"))
            yield
    finally:
        engine.dispose()


class StallingProxy:
    """Passes bytes between TCP and the server's Unix socket, until told to stall: then it takes them, and no more."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._socket = Path(str(parsed.query["host"])) / ".s.PGSQL.5432"
        self._url = parsed
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    @contextmanager
    def stalled(self) -> Iterator[None]:
        self._flowing.clear()
        yield
        self._flowing.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StallingProxy"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = self._url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._flowing.wait()
            back_reader, back_writer = await asyncio.open_unix_connection(self._socket)
            try:
                await asyncio.gather(self._pass(reader, back_writer), self._pass(back_reader, writer))
            finally:
                back_writer.close()
        except OSError:
            pass
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


def project(url: str, cluster: MemoryCluster) -> None:
    """Bring the database to the end of the cluster's log, as a projector does."""
    engine = open_engine(url)
    try:
        writer = Writer(engine)
        writer.prepare(IDENTITY)
        records = [
            ProjectedRecord(
                record.partition.topic,
                record.partition.number,
                record.offset,
                record.time_ms,
                record.key,
                record.value,
                tuple(record.headers.items()),
            )
            for partition, log in cluster.logs.items()
            if partition.topic is Topic.STATUS
            for record in log
        ]
        if records:
            writer.apply(records)
    finally:
        engine.dispose()
