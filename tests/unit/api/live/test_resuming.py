"""Going on after a break: what a client that connects again is told."""

import asyncio
from typing import Any

import pytest

from api.live import hub as hub_module
from tests.patience import PATIENCE_S
from tests.unit.api.bodies import seed_body
from tests.unit.api.live.streaming import streaming
from tests.unit.api.live.test_streams import cancel, register
from tests.unit.api.memory import MemoryCluster, MemoryProjection, world

pytestmark = pytest.mark.anyio


def ids(data: dict[str, Any]) -> list[str]:
    return [each["id"] for each in data["ids"]]


async def test_a_client_that_comes_back_is_told_what_it_has_missed_and_that_alone() -> None:
    async with world() as api, streaming(api) as served:
        async with served.open("/v1/stream") as stream:
            await register(api)
            last = (await stream.next("batch")).id
        missed = [await register(api), await register(api)]
        async with served.open("/v1/stream", headers={"Last-Event-ID": last or ""}) as stream:
            told = await stream.next("batch", "reset")
            assert (told.name, sorted(ids(told.data))) == ("batch", sorted(missed))
        async with served.open("/v1/stream", last_event_id=last) as stream:
            assert sorted(ids((await stream.next("batch", "reset")).data)) == sorted(missed)


async def test_one_batch_goes_on_from_the_last_event_too() -> None:
    async with world() as api, streaming(api) as served:
        batch_id = await register(api)
        async with served.open(f"/v1/batches/{batch_id}/stream") as stream:
            last = (await stream.next("batch")).id
        await register(api)
        version = await cancel(api, batch_id)
        async with served.open(f"/v1/batches/{batch_id}/stream", last_event_id=last) as stream:
            told = await stream.next("batch", "reset")
        assert told.data["ids"] == [{"id": batch_id, "version": version, "status": "cancelled"}]


@pytest.mark.parametrize("given", ["nonsense", "WzJd", "é", "W10"])
async def test_an_id_that_no_event_had_is_answered_with_a_reset(given: str) -> None:
    async with world() as api, streaming(api) as served, served.open("/v1/stream", last_event_id=given) as stream:
        told = await stream.next("batch", "reset")
        assert (told.name, told.data) == ("reset", {"reason": "unknown_id"})
        assert told.id, "from which the client goes on the next time"


async def test_an_id_from_before_what_is_kept_is_answered_with_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MOST_NOTICES", 3)
    async with world() as api, streaming(api) as served:
        async with served.open("/v1/stream") as stream:
            last = (await stream.next("heartbeat")).id
        for _ in range(8):
            await register(api)
        async with served.open("/v1/stream", last_event_id=last) as stream:
            told = await stream.next("batch", "reset")
            assert (told.name, told.data) == ("reset", {"reason": "too_old"})
            again = await register(api)
            assert ids((await stream.next("batch")).data) == [again], "it goes on after a reset"


async def test_an_id_is_good_on_another_process_that_started_later() -> None:
    cluster = MemoryCluster()
    projection = MemoryProjection(cluster)
    async with world(cluster, projection) as api, streaming(api) as served:
        projection.project()
        await api.client.post("/v1/batches/register", json=seed_body())
        async with served.open("/v1/stream") as stream:
            last = (await stream.next("heartbeat")).id
    async with world(cluster, projection) as other, streaming(other) as served:
        missed = await register(other)
        async with served.open("/v1/stream", last_event_id=last) as stream:
            told = await stream.next("batch", "reset")
            assert (told.name, ids(told.data)) == ("batch", [missed])


async def test_lists_are_told_once_the_projection_shows_the_change() -> None:
    cluster = MemoryCluster()
    projection = MemoryProjection(cluster)
    async with world(cluster, projection) as api, streaming(api) as served, served.open("/v1/stream") as stream:
        await register(api)
        await stream.next("batch")
        projection.project()
        assert (await stream.next("projected", "batch")).name == "projected"


async def test_a_stop_ends_every_stream_in_order() -> None:
    async with world() as api, streaming(api) as served:
        batch_id = await register(api)
        one, other = served.open("/v1/stream"), served.open(f"/v1/batches/{batch_id}/stream")
        async with one as first, other as second:
            await first.next("heartbeat")
            await second.next("batch")
            served.server.should_exit = True
            async with asyncio.timeout(PATIENCE_S):
                ends = await asyncio.gather(first.ended(), second.ended())  # raises if a stream is cut off
    assert [(events[-1].name, events[-1].data["reason"]) for events in ends] == [("dropped", "shutdown")] * 2


async def test_a_stream_that_was_open_for_long_is_ended() -> None:
    async with world(stream_max_s=0.01) as api, streaming(api) as served, served.open("/v1/stream") as stream:
        events = await stream.ended()
        assert [event.name for event in events] == ["heartbeat", "dropped"]
        assert events[-1].data["reason"] == "expired"
        assert 'api_streams_ended_total{reason="expired"} 1.0' in (await served.client.get("/metrics")).text


async def test_more_streams_than_are_served_are_told_to_come_back() -> None:
    async with world(max_streams=1) as api, streaming(api) as served, served.open("/v1/stream") as stream:
        await stream.next("heartbeat")
        refused = await served.client.get("/v1/stream")
        assert (refused.status_code, refused.json()["code"]) == (503, "ORC-TOO-MANY-STREAMS")
        assert int(refused.headers["Retry-After"]) > 0


async def test_a_process_that_still_reads_the_log_serves_no_stream() -> None:
    cluster = MemoryCluster()
    cluster.unreachable = "away"
    async with world(cluster, wait_ready=False) as api:
        refused = await api.client.get("/v1/stream")
    assert (refused.status_code, refused.json()["code"]) == (503, "ORC-NOT-READY")
