"""What only shows through a real server and a socket: raw paths, HEAD, headers as bytes, bodies that do not come."""

import asyncio
import json
from functools import partial
from typing import Any, cast

import pytest
from httpx import AsyncClient
from uvicorn import Config, Server

from api.http_protocol import BoundedHeadProtocol
from runtime.addresses import listen
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import world
from tests.unit.api.test_stopping import served

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"


async def exchange(client: AsyncClient, request: bytes) -> bytes:
    """Send raw bytes, and return all that comes until the server closes the connection."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_an_encoded_slash_is_part_of_the_id() -> None:
    async with world() as api, served(api) as (client, _):
        for segment in ("a%2Fb", "%2e%2e", "%00", "%FF"):
            request = f"GET /v1/batches/{segment}/status/ HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"
            answer = await exchange(client, request.encode())
            assert b"ORC-BATCH-NOT-FOUND" in answer, segment
        batch_id = (await client.post(f"{REGISTER}/", json=seed_body())).json()["batch_id"]
        escaped = batch_id.replace("-", "%2D")
        request = f"GET /v1/batches/{escaped}/status HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"
        assert batch_id.encode() in await exchange(client, request.encode())


async def test_head_keeps_the_connection_whole() -> None:
    async with world() as api, served(api) as (client, _):
        for _ in range(2):
            head = await client.head("/healthz")
            assert (head.status_code, head.content) == (200, b"")
        assert (await client.get("/healthz")).json()["status"] == "ok"


async def test_headers_given_twice_are_seen_through_the_server() -> None:
    async with world() as api, served(api) as (client, _):
        response = await client.get("/v1/batches/b/status", headers=[("X-User-ID", "a"), ("X-User-ID", "b")])
        assert (response.status_code, response.json()["code"]) == (400, "ORC-HEADER-REPEATED")


async def test_a_connection_whose_body_does_not_come_is_closed() -> None:
    body = json.dumps(seed_body()).encode()
    request = (
        f"POST {REGISTER} HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body[:-1]
    async with world(body_timeout_s=0.1) as api, served(api) as (client, _):
        answer = await exchange(client, request)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"ORC-BODY-TIMEOUT" in answer


BEGUN = [b"", b"GET /healthz HTTP/1.1\r\nHost:", b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /"]


@pytest.mark.slow
@pytest.mark.parametrize("begun", BEGUN)
async def test_a_connection_whose_head_does_not_come_is_closed(begun: bytes) -> None:
    async with world() as api:
        protocol = cast("Any", partial(BoundedHeadProtocol, head_timeout_s=1.0))
        with listen("127.0.0.1", 0) as listener:
            server = Server(Config(api.app, lifespan="off", http=protocol, log_config=None))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            async with AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
                answer = await exchange(client, begun)
                assert answer.count(b"HTTP/1.1 ") == begun.count(b"\r\n\r\n")
                assert (await client.get("/livez")).status_code == 200
            server.should_exit = True
            await serving
