"""The HTTP response of a stream: it sends what its client is handed until one of the two sides ends it."""

import asyncio
from typing import cast

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.http_protocol import CONNECTION, ConnectionControl
from api.live.client import Client
from api.live.hub import Hub

MEDIA_TYPE = "text/event-stream"
_MEDIA_TYPE = MEDIA_TYPE.encode()
_SEND_S = 10.0
"""Seconds for which a client may take nothing at all; then its connection is cut."""
_HEADERS = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses would hold events back
    "X-Accel-Buffering": "no",  # nginx sends each event on at once
}


class EventStream(Response):
    """A response of server-sent events; without a client it has headers only, which answers HEAD."""

    media_type = MEDIA_TYPE

    def __init__(self, hub: Hub, client: Client | None) -> None:
        super().__init__(headers=_HEADERS, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._hub = hub
        self.client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client has gone or the hub ends the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if self.client is None:
            await send({"type": "http.response.body", "body": b""})
            return
        control = cast("ConnectionControl | None", scope.get("state", {}).get(CONNECTION))
        if control is not None:
            control.at_shutdown = self._hub.close
        client = self.client
        gone = asyncio.create_task(_until_gone(receive))
        gone.add_done_callback(lambda _: client.leave())
        try:
            await _send_all(client, send)
        except TimeoutError:
            client.reason = "stuck"
            if control is not None:
                control.abort()
        finally:
            gone.cancel()
            self._hub.forget(client)


def begins_stream(message: Message) -> bool:
    """Whether an ASGI message begins a stream, which lasts for as long as its client wants."""
    return message["type"] == "http.response.start" and any(
        name == b"content-type" and value.startswith(_MEDIA_TYPE) for name, value in message.get("headers", ())
    )


async def _send_all(client: Client, send: Send) -> None:
    """Raise `TimeoutError` if the client takes nothing for too long."""
    while (events := await client.next()) is not None:
        async with asyncio.timeout(_SEND_S):
            await send({"type": "http.response.body", "body": events, "more_body": True})
    async with asyncio.timeout(_SEND_S):
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
