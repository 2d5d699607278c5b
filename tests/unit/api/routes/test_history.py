"""The history and the replay of a batch over HTTP."""

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.errors import ProjectionError
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, world
from tests.unit.api.replay.happening import failed, happen, ready, registered

pytestmark = pytest.mark.anyio


async def lived(api: World) -> str:
    """Return a batch that was registered, started twice, and ended in failure."""
    batch_id = await registered(api)
    ready(api, batch_id)
    ready(api, batch_id)
    happen(api, batch_id, failed("spellcheck"))
    return batch_id


async def test_the_history_is_paged_the_oldest_first() -> None:
    async with world() as api:
        batch_id = await lived(api)
        api.projection.project()
        path = f"/v1/batches/{batch_id}/history"
        first = (await api.client.get(path, params={"limit": 3})).json()
        last = (await api.client.get(path, params={"limit": 3, "after": first["next"]})).json()
        end = (await api.client.get(path, params={"after": last["next"]})).json()
    shown = [*first["decisions"], *last["decisions"]]
    assert [each["disposition"] for each in shown] == ["applied", "applied", "duplicate", "applied"]
    assert [each["event"] for each in shown] == ["register", "essays_ready", "essays_ready", "phase_concluded"]
    assert shown[0]["sentence"] == "registered with 3 essay slots"
    assert shown[3]["changes"][0] == {"phase": None, "from": "processing_pipelines", "to": "failed_critically"}
    assert end == {"batch_id": batch_id, "decisions": [], "next": last["next"]}


@pytest.mark.parametrize("resource", ["history", "replay"])
async def test_what_the_caller_has_is_not_sent_again(resource: str) -> None:
    async with world() as api:
        batch_id = await lived(api)
        api.projection.project()
        path = f"/v1/batches/{batch_id}/{resource}"
        tag = {"If-None-Match": (await api.client.get(path)).headers["ETag"]}
        assert (await api.client.get(path, headers=tag)).status_code == 304
        ready(api, batch_id)
        api.projection.project()
        assert (await api.client.get(path, headers=tag)).status_code == 200


async def test_a_history_is_seen_by_the_owner_alone() -> None:
    async with world() as api:
        answer = await api.client.post(
            "/v1/batches/register", json=seed_body(), headers={"X-User-ID": "teacher", "X-Org-ID": "school"}
        )
        path = f"/v1/batches/{answer.json()['batch_id']}"
        api.projection.project()
        for resource in ("history", "replay"):
            for user, status in (("teacher", 200), ("stranger", 404)):
                headers = {"X-User-ID": user, "X-Org-ID": "school"}
                assert (await api.client.get(f"{path}/{resource}", headers=headers)).status_code == status


async def test_the_history_of_a_purged_batch_is_seen_by_those_who_see_all() -> None:
    async with world() as api:
        batch_id = await lived(api)
        api.projection.project()
        api.cluster.purge(batch_id, 10**6)
        assert (await api.client.get(f"/v1/batches/{batch_id}/status")).status_code in (200, 404)
        api.projection.project()
        path = f"/v1/batches/{batch_id}/history"
        assert len((await api.client.get(path)).json()["decisions"]) == 4
        assert (await api.client.get(path, headers={"X-User-ID": "teacher"})).status_code == 404


@pytest.mark.parametrize("resource", ["history", "replay"])
async def test_a_batch_that_does_not_exist_has_neither(resource: str) -> None:
    async with world() as api:
        for path in (
            f"/v1/batches/nobody/{resource}",
            f"/v1/batches/{resource}?batch_id=.",
            f"/v1/batches/%FF/{resource}",
        ):
            answer = await api.client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND")


async def test_a_cursor_of_something_else_is_refused() -> None:
    async with world() as api:
        batch_id = await lived(api)
        answer = await api.client.get(f"/v1/batches/{batch_id}/history", params={"after": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "ORC-CURSOR")


async def test_a_history_that_cannot_be_read_is_asked_for_again() -> None:
    async with world() as api:
        batch_id = await lived(api)
        api.projection.error = ProjectionError("away", next_step="Wait.")
        answer = await api.client.get(f"/v1/batches/{batch_id}/history")
    assert (answer.status_code, answer.json()["code"]) == (503, "ORC-NOT-READY")
    assert answer.headers["Retry-After"]


async def test_a_replay_shows_that_all_is_as_it_was_published() -> None:
    async with world() as api:
        batch_id = await lived(api)
        body = (await api.client.get(f"/v1/batches/{batch_id}/replay")).json()
    assert (body["identical"], body["whole"], len(body["decisions"])) == (True, True, 4)
    assert body["version"] == body["decisions"][-1]["version"]


async def test_a_replay_shows_what_differs() -> None:
    async with world() as api:
        batch_id = await lived(api)
        api.projection.project()
        histories: list[Any] = api.projection.histories
        histories[1] = replace(histories[1], failed=7, based_on=3)
        body = (await api.client.get(f"/v1/batches/{batch_id}/replay")).json()
    assert (body["identical"], body["whole"]) == (False, False)
    changed = body["decisions"][1]
    assert {each["fact"] for each in changed["differences"]} == {"failed", "based_on"}
    assert changed["based_on_expected"] == body["decisions"][0]["version"]


async def test_requests_to_control_batches_are_listed_the_newest_first() -> None:
    async with world() as api:
        first, second = await registered(api), await registered(api)
        paused = (await api.client.post(f"/v1/batches/{first}/pause", json={"reason": "a break"})).json()
        await api.client.post(f"/v1/batches/{second}/resume", json={})
        api.projection.project()
        path = "/v1/control-requests"
        newest = (await api.client.get(path, params={"limit": 1})).json()
        older = (await api.client.get(path, params={"after": newest["next"]})).json()
        wrong = await api.client.get(path, params={"after": "none"})
    assert [(each["batch_id"], each["event"], each["disposition"]) for each in newest["requests"]] == [
        (second, "resume", "refused")
    ]
    assert [(each["batch_id"], each["event"], each["disposition"]) for each in older["requests"]] == [
        (first, "pause", "applied")
    ]
    assert older["requests"][0]["request_id"] == paused["request_id"]
    assert older["next"] is None
    assert (wrong.status_code, wrong.json()["code"]) == (400, "ORC-CURSOR")


async def test_requests_that_cannot_be_read_are_told() -> None:
    async with world() as api:
        api.projection.error = ProjectionError("it is locked", next_step="Wait.")
        answer = await api.client.get("/v1/control-requests")
    assert (answer.status_code, answer.json()["code"]) == (503, "ORC-NOT-READY")
    assert answer.headers["Retry-After"] == "1"
