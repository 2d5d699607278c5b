"""`?dry_run=true`: what would be decided now, without anything written."""

import pytest

from api.kafka_log.kafka_log import LogPartition
from runtime.kafka.partitioner import partition_of
from schemas.topics import Topic
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, world

pytestmark = pytest.mark.anyio
KINDS = ("cancel", "pause", "resume", "retry")


async def registered(api: World, **headers: str) -> str:
    response = await api.client.post("/v1/batches/register", json=seed_body(), headers=headers)
    return str(response.json()["batch_id"])


def history_of(api: World) -> int:
    return sum(len(log) for partition, log in api.cluster.logs.items() if partition.topic is Topic.HISTORY)


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_written_and_the_batch_stays(kind: str) -> None:
    async with world() as api:
        batch_id = await registered(api)
        before = (await api.client.get(f"/v1/batches/{batch_id}/status")).json()
        decided = history_of(api)
        api.cluster.deciding = False
        response = await api.client.post(f"/v1/batches/{batch_id}/{kind}?dry_run=true", json={"phase": "spellcheck"})
        body = response.json()
        assert response.status_code == 200, response.text
        assert (body["dry_run"], body["batch_id"], body["version"]) == (True, batch_id, before["version"])
        assert response.headers["ETag"] == f'"{before["version"]}"'
        assert api.cluster.requests == []
        assert history_of(api) == decided
        assert (await api.client.get(f"/v1/batches/{batch_id}/status")).json() == before


async def test_an_unknown_batch_and_that_of_somebody_else_are_not_found() -> None:
    async with world() as api:
        batch_id = await registered(api, **{"X-User-ID": "ms-berg"})
        for asked in ("nobody", batch_id):
            response = await api.client.post(
                f"/v1/batches/{asked}/cancel?dry_run=true", json={}, headers={"X-User-ID": "mr-lind"}
            )
            assert (response.status_code, response.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND")


async def test_a_404_is_given_only_after_the_status_partition_was_read_to_its_end() -> None:
    async with world() as api:
        partition = LogPartition(Topic.STATUS, partition_of(b"nobody", 4))
        api.cluster.hidden.add(partition)
        api.cluster.purge("nobody", 1)
        api.services.batches._timeout_s = 0.05
        response = await api.client.post("/v1/batches/nobody/cancel?dry_run=true", json={})
        assert (response.status_code, response.json()["code"]) == (503, "ORC-NOT-READY")
        api.cluster.reveal()
        api.services.batches._timeout_s = 60.0
        assert (await api.client.post("/v1/batches/nobody/cancel?dry_run=true", json={})).status_code == 404


async def test_a_record_that_would_be_too_large_is_told_as_by_the_request_itself() -> None:
    async with world(max_input_bytes=2_000) as api:
        batch_id = await registered(api)
        for query in ("", "?dry_run=true"):
            response = await api.client.post(f"/v1/batches/{batch_id}/cancel{query}", json={"unknown": "x" * 1_950})
            assert (response.status_code, response.json()["code"]) == (413, "ORC-BODY-TOO-LARGE"), response.text


async def test_a_batch_whose_records_are_gone_cannot_be_previewed() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.cluster.inbox_start = 10_000
        response = await api.client.post(f"/v1/batches/{batch_id}/cancel?dry_run=true", json={})
        assert (response.status_code, response.json()["code"]) == (410, "ORC-RECORDS-EXPIRED")
