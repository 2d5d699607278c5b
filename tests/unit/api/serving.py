"""The real application over a cluster in memory, served on a port of its own from a thread."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from fastapi import FastAPI
from uvicorn import Config, Server

from runtime.addresses import listen
from tests.unit.api.memory import INTERVAL_S, MemoryCluster, World, process_record, world


class _Server(Server):
    """Ends when told to, where the original looks ten times a second."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(Config(app, lifespan="off", log_config=None, server_header=False))
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._ended.wait()

    def end(self) -> None:
        """End it from another thread."""
        self._loop.call_soon_threadsafe(self._ended.set)


@contextmanager
def served(cluster: MemoryCluster | None = None, **settings: object) -> Iterator[str]:
    """Yield the URL. Further arguments are settings."""
    started, servers = Event(), list[_Server]()
    # Whoever waits for an unknown batch waits to the end; nothing is projected, however long the test takes.
    # A stream ends at once.
    settings = {"max_wait_s": 0.02, "max_lag_s": 3_600, "stream_max_s": 0.02, **settings}

    async def serve(listener: socket.socket) -> None:
        async with world(cluster, **settings) as api:  # type: ignore[arg-type]
            server = _Server(api.app)
            servers.append(server)
            started.set()
            reports = asyncio.create_task(_report(api))
            await server.serve(sockets=[listener])
            reports.cancel()

    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        thread = Thread(target=lambda: asyncio.run(serve(listener)), name="served")
        thread.start()
        assert started.wait(60)
        try:
            yield f"http://{host}:{port}"
        finally:
            servers[0].end()
            thread.join()


async def _report(api: World) -> None:
    """Report the processes again and again, so that none is missing in a test of minutes."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        api.tell(*map(process_record, ("router", "orchestrator", "projector", "timekeeper")))
