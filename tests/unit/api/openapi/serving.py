"""The real application over a cluster in memory, served on a port of its own from a thread."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from uvicorn import Config, Server

from tests.unit.api.memory import world


@contextmanager
def served() -> Iterator[str]:
    """Yield the URL."""
    started, servers = Event(), list[Server]()

    async def serve(listener: socket.socket) -> None:
        async with world(max_wait_s=0.02) as api:  # whoever waits for an unknown batch waits to the end
            server = Server(Config(api.app, lifespan="off", log_config=None, server_header=False))
            servers.append(server)
            started.set()
            await server.serve(sockets=[listener])

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        host, port = listener.getsockname()
        thread = Thread(target=lambda: asyncio.run(serve(listener)), name="served")
        thread.start()
        assert started.wait(60)
        try:
            yield f"http://{host}:{port}"
        finally:
            servers[0].should_exit = True
            thread.join()
