"""Live updates as a client sees them."""

import asyncio

import pytest

from tests.patience import PATIENCE_S
from tests.unit.api.bodies import seed_body
from tests.unit.api.live.streaming import streaming
from tests.unit.api.memory import World, until, world

pytestmark = pytest.mark.anyio
FOREIGN = {"X-User-ID": "somebody else"}


async def register(api: World, **body: object) -> str:
    headers = {"X-User-ID": str(body.pop("by"))} if "by" in body else None
    answer = await api.client.post("/v1/batches/register", json=seed_body(**body), headers=headers)
    assert answer.status_code == 202
    found: str = answer.json()["batch_id"]
    return found


async def cancel(api: World, batch_id: str) -> int:
    answer = await api.client.post(f"/v1/batches/{batch_id}/cancel", json={})
    assert answer.status_code == 200
    found: int = answer.json()["version"]
    return found


async def test_the_stream_of_a_batch_begins_with_its_state_and_tells_each_change() -> None:
    async with world() as api, streaming(api) as served:
        batch_id = await register(api)
        async with served.open(f"/v1/batches/{batch_id}/stream") as stream:
            assert stream.response.headers["content-type"].startswith("text/event-stream")
            assert "no-store" in stream.response.headers["cache-control"]
            first = await stream.next("batch")
            assert first.data["ids"][0]["status"] == "awaiting_content_validation"
            version = await cancel(api, batch_id)
            told = await stream.next("batch")
        assert told.data["ids"] == [{"id": batch_id, "version": version, "status": "cancelled"}]
        assert told.data["n"] == 1
        assert told.data["upto"].endswith("Z")
        assert told.id


async def test_a_stream_tells_the_batches_of_its_filter_alone() -> None:
    async with world() as api, streaming(api) as served, served.open("/v1/stream", course="ENG5") as stream:
        await stream.next("heartbeat")
        await register(api, course_code="SV1")
        wanted = await register(api, course_code="ENG5")
        told = await stream.next("batch")
        assert [each["id"] for each in told.data["ids"]] == [wanted]


async def test_a_batch_that_leaves_the_filter_is_told_once_more() -> None:
    async with world() as api, streaming(api) as served:
        batch_id = await register(api)
        waiting = "awaiting_content_validation"
        async with served.open("/v1/stream", status=waiting) as stream:
            await stream.next("heartbeat")
            version = await cancel(api, batch_id)
            told = await stream.next("batch")
        assert told.data["ids"] == [{"id": batch_id, "version": version, "status": "cancelled", "left": True}]


async def test_a_caller_is_told_of_its_own_batches_alone() -> None:
    async with world() as api, streaming(api) as served:
        theirs = await register(api)
        refused = await served.client.get(f"/v1/batches/{theirs}/stream", headers=FOREIGN)
        assert (refused.status_code, refused.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND")
        async with served.open("/v1/stream", headers=FOREIGN) as stream:
            await stream.next("heartbeat")
            await cancel(api, theirs)
            own = await register(api, by="somebody else")
            assert [each["id"] for each in (await stream.next("batch")).data["ids"]] == [own]


async def test_head_has_the_headers_and_no_stream() -> None:
    async with world() as api:
        async with asyncio.timeout(PATIENCE_S):
            head = await api.client.head("/v1/stream")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")


async def test_a_stream_holds_no_place_among_the_requests_and_is_no_slow_one() -> None:
    async with world(max_concurrent_requests=1) as api, streaming(api) as served:
        async with served.open("/v1/stream") as stream:
            await stream.next("heartbeat")
            assert (await served.client.get("/v1/batches/none/status")).status_code == 404
            metrics = (await served.client.get("/metrics")).text
            assert 'http_requests_total{endpoint="/v1/stream",method="GET",status_code="200"} 1.0' in metrics
            assert "batch_orchestrator_api_streams 1.0" in metrics

        async def closed() -> bool:
            return api.services.live.clients == 0

        await until(closed)
