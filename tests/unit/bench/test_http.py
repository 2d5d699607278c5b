"""The lean HTTP client against a small server."""

import asyncio

from bench.http import Connection


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection: 202 where all of one has arrived."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            body = await reader.readexactly(size)
            status = b"202 Accepted" if b"Idempotency-Key: key-" in head.encode() and body == b"{}" else b"400 Bad"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nabcde")
    except asyncio.IncompleteReadError:
        writer.close()
        await writer.wait_closed()


async def _two_requests() -> list[int]:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer)
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = await Connection.open("127.0.0.1", server.sockets[0].getsockname()[1])
    statuses = [await connection.post("/", body, "key-1") for body in (b"{}", b"no")]
    await connection.close()
    await ended.wait()
    server.close()
    await server.wait_closed()
    return statuses


def test_a_connection_is_kept_and_tells_each_status() -> None:
    assert asyncio.run(_two_requests()) == [202, 400]
