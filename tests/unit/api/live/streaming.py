"""Streams over a socket: an in-memory client buffers a whole response, and a stream has no end."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from httpx import AsyncClient, Response, Timeout
from uvicorn import Config, Server

from api.http_protocol import BoundedHeadProtocol
from runtime.addresses import listen
from tests.patience import PATIENCE_S
from tests.unit.api.memory import World


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    data: dict[str, Any]
    id: str | None


class Reading:
    """Reads the events of one response."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, *names: str) -> Event:
        """Return the next event with one of these names; without names, the next one of any."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await self._event()
                if not names or found.name in names:
                    return found

    async def ended(self) -> list[Event]:
        """Return all events up to the end of the response."""
        found = []
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    found.append(await self._event())
                except StopAsyncIteration:
                    return found

    async def _event(self) -> Event:
        name, data, event_id = "", "", None
        while True:
            line = await anext(self._lines)
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data += value
            elif key == "id":
                event_id = value
            elif not line and name:
                return Event(name, json.loads(data), event_id)


class Streaming(NamedTuple):
    """A client of an api that is served on a port."""

    client: AsyncClient
    server: Server
    port: int

    @asynccontextmanager
    async def open(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> AsyncIterator[Reading]:
        """Open a stream."""
        async with self.client.stream("GET", path, params=query, headers=headers) as response:
            yield Reading(response)


@asynccontextmanager
async def streaming(api: World) -> AsyncIterator[Streaming]:
    """Serve an api as the product serves it."""
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        protocol: Any = partial(BoundedHeadProtocol, head_timeout_s=PATIENCE_S)
        server = Server(Config(api.app, lifespan="off", http=protocol, timeout_graceful_shutdown=5, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with AsyncClient(base_url=f"http://{host}:{port}", timeout=Timeout(PATIENCE_S)) as client:
            yield Streaming(client, server, port)
            server.should_exit = True
            await serving
