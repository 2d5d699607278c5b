"""What whoever waits is told when the server stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient
from uvicorn import Config, Server

from api.kafka_log.request_producer import KafkaRequestLog
from runtime.addresses import listen
from schemas.errors import BrokerError
from tests.patience import PATIENCE_S
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, World, until, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"


@asynccontextmanager
async def served(api: World) -> AsyncIterator[tuple[AsyncClient, Server]]:
    """Serve over a socket, with no grace at all for requests under way when it is told to stop."""
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        server = Server(Config(api.app, lifespan="off", timeout_graceful_shutdown=0, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with AsyncClient(base_url=f"http://{host}:{port}", timeout=PATIENCE_S) as client:
            yield client, server
            server.should_exit = True
            await serving


async def test_a_registration_under_way_is_told_where_to_look() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False

    async def written() -> bool:
        return bool(cluster.requests)

    async with world(cluster) as api, served(api) as (client, server):
        asking = asyncio.create_task(client.post(REGISTER, json=seed_body()))
        await until(written)
        server.should_exit = True
        response = await asking
    problem = response.json()
    assert (response.status_code, problem["code"]) == (503, "ORC-NO-ANSWER")
    assert response.headers["Location"] == f"/v1/batches/{problem['batch_id']}/status"
    assert int(response.headers["Retry-After"]) > 0


async def test_whoever_waits_for_a_status_gets_what_there_is() -> None:
    async with world() as api, served(api) as (client, server):
        location = (await client.post(REGISTER, json=seed_body())).headers["Location"]
        waiting = asyncio.create_task(client.get(location, params={"wait": 30}))
        await api.until_waited_for(location.split("/")[-2])
        assert not waiting.done()
        server.should_exit = True
        assert (await waiting).status_code == 200


async def test_a_request_that_kafka_has_not_acknowledged_is_told_and_holds_nothing_up() -> None:
    requests = KafkaRequestLog({"bootstrap.servers": "127.0.0.1:1"}, "t", timeout_s=3_600, largest_bytes=1_000)
    writing = asyncio.create_task(requests.append(b"k", b"v"))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(BrokerError, match="not acknowledged"):
        await writing
    async with asyncio.timeout(PATIENCE_S):
        await requests.close()
