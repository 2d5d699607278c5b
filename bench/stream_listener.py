"""Clients of live updates: many idle streams, a stream of every batch, and streams of single batches."""

import asyncio
import time
from contextlib import suppress
from threading import Thread
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

FOLLOWED_EVERY = 25
"""Every so many batches, one is followed by a stream of its own."""
_OPENED_AT_ONCE = 32
_TIMEOUT_S = 600.0
_decode = msgspec.json.Decoder().decode
Told = dict[tuple[str, int], float]
"""When a version of a batch was told first, Unix milliseconds."""


class Listener:
    """Clients of streams on an event loop in a thread of its own."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="listener", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: set[str] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.one: Told = {}
        """What streams of one batch have told."""
        self.every: Told = {}
        """What the stream of every batch has told."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def call(self, work: Any) -> None:
        """Run a coroutine on the loop, and wait for its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    def stop(self) -> None:
        """Close every stream."""
        self.call(self._cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def open_idle(self, count: int) -> None:
        """Open streams of which nothing is told, some at a time."""
        opening = asyncio.Semaphore(_OPENED_AT_ONCE)

        async def open_one() -> None:
            async with opening:
                reader = await self._open("/v1/stream?course=none")
            self._spawn(_drain(reader))

        await asyncio.gather(*(open_one() for _ in range(count)))

    async def follow(self) -> None:
        """Open a stream of every batch, and one of its own for some of the batches that it tells."""
        self._spawn(self._every(await self._open("/v1/stream")))

    async def _every(self, reader: asyncio.StreamReader) -> None:
        async for changed in _changes(reader):
            now = time.time() * 1_000
            for each in changed:
                self.every.setdefault((each["id"], each["version"]), now)
                self._maybe_follow(each["id"])

    def _maybe_follow(self, batch_id: str) -> None:
        if batch_id in self._seen:
            return
        self._seen.add(batch_id)
        if len(self._seen) % FOLLOWED_EVERY == 0:
            self._spawn(self._one(batch_id))

    async def _one(self, batch_id: str) -> None:
        reader = await self._open(f"/v1/batches/{quote(batch_id, safe='')}/stream")
        first = True
        async for changed in _changes(reader):
            now = time.time() * 1_000
            if first:  # the state at the begin, whose decision lies before the stream
                first = False
                continue
            for each in changed:
                self.one.setdefault((each["id"], each["version"]), now)

    async def _open(self, path: str) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        self._writers.append(writer)  # one that nobody holds would close its connection
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise ConnectionError(f"{path}: {status.decode().strip()}")
        await reader.readuntil(b"event: heartbeat\n")
        return reader

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def _changes(reader: asyncio.StreamReader) -> Any:
    """Yield the batches of each `batch` event."""
    name = b""
    with suppress(asyncio.IncompleteReadError):
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"data: ") and name == b"batch":
                yield _decode(line[6:])["ids"]
