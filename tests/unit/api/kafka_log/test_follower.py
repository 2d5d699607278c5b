"""The follower goes on with a new client if one gets no answers any more."""

import asyncio

import pytest

from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, answers, until, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"


async def test_a_registration_is_answered_whose_answer_comes_after_the_client_was_replaced() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False

    async def written() -> bool:
        return bool(cluster.requests)

    async def stranded() -> bool:
        return cluster.stranded is not None

    async with world(cluster) as api:
        asking = asyncio.create_task(api.client.post(REGISTER, json=seed_body()))
        await until(written)
        cluster.strand_next = True
        await until(stranded)
        cluster.decide_all()
        assert (await asking).status_code == 202
        await answers(api.client, "/healthz", 200)
        assert api.failures == []


async def test_what_is_written_while_no_client_hears_anything_is_read_later() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False

    async def written() -> bool:
        return bool(cluster.requests)

    async with world(cluster) as api:
        asking = asyncio.create_task(api.client.post(REGISTER, json=seed_body()))
        await until(written)
        cluster.unreachable, cluster.strand_next = "away", True
        await answers(api.client, "/healthz", 503)
        cluster.decide_all()
        cluster.unreachable = None
        assert (await asking).status_code == 202
        await answers(api.client, "/healthz", 200)
