"""Stats, the running system, pipelines and the look-up of ids over HTTP."""

import pytest

from schemas.errors import ProjectionError
from schemas.internal.processes import InputPosition, ProcessState
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, process_record, until, world

pytestmark = pytest.mark.anyio
ANN = {"X-User-ID": "ann"}
BO = {"X-User-ID": "bo"}
HTML = {"Accept": "text/html,application/xhtml+xml"}
GONE = ProjectionError("The projection database cannot be read.", next_step="Start it.")


async def register(api: World, headers: dict[str, str] | None = None) -> dict[str, str]:
    answer = await api.client.post("/v1/batches/register", json=seed_body(), headers=headers or {})
    api.projection.project()
    return dict(answer.json())


async def test_stats_count_what_the_caller_may_see() -> None:
    async with world() as api:
        await register(api, ANN)
        await register(api, BO)
        every = await api.client.get("/v1/stats")
        assert every.status_code == 200
        assert every.json()["live"] == 2
        assert every.json()["counts"]["batches"] == {"awaiting_content_validation": 2}
        own = (await api.client.get("/v1/stats", headers=ANN)).json()
        assert own["live"] == 1
        assert own["dispositions"] == {}
        assert [due["kind"] for due in every.json()["overdue"]] == ["never_provisioned"] * 2
        again = await api.client.get("/v1/stats", headers={"If-None-Match": every.headers["ETag"]})
        assert again.status_code in (200, 304), "a minute may have passed"


async def test_stats_of_a_lost_database_are_the_last_ones() -> None:
    async with world() as api:
        await register(api)
        before = (await api.client.get("/v1/stats")).json()
        api.projection.error = GONE
        after = (await api.client.get("/v1/stats")).json()
        assert after["live"] == before["live"] == 1
        assert after["stale"].startswith("Lists are from ")


async def test_the_system_shows_processes_and_what_is_behind() -> None:
    async with world() as api:
        api.tell(
            process_record(
                "orchestrator",
                lag_s=41.5,
                positions=(InputPosition("inbox", 0, 10, 10), InputPosition("inbox", 1, 5, 9, 41.5)),
            ),
            process_record("timekeeper", gate_ms=1_750_000_000_000),
        )
        await until(lambda: _told(api))
        body = (await api.client.get("/v1/system")).json()
        assert {process["kind"] for process in body["processes"]} >= {
            "router",
            "orchestrator",
            "projector",
            "timekeeper",
        }
        assert [(each["partition"], each["behind"], each["lag_seconds"]) for each in body["partitions"]] == [
            (0, 0, 0.0),
            (1, 4, 41.5),
        ]
        assert body["lag_seconds"]["inbox"] == 41.5
        assert body["gate"]["open_until"] == "2025-06-15T15:06:40.000Z"
        assert body["projection"]["error"] is None
        assert len(body["settings"]) == 1
        assert (await api.client.get("/healthz")).status_code == 200


async def test_processes_with_other_settings_are_named() -> None:
    async with world() as api:
        api.tell(process_record("router", settings_digest="cd" * 32))
        await until(lambda: _differ(api))
        body = (await api.client.get("/v1/system")).json()
        assert [problem["code"] for problem in body["problems"]] == ["ORC-SETTINGS-DIFFER"]
        assert body["problems"][0]["message"].startswith("router/0: other settings than ")
        assert (await api.client.get("/healthz")).status_code == 200, "an upgrade is no ill health"


async def test_pipelines_are_described_in_full() -> None:
    async with world() as api:
        await register(api)
        body = (await api.client.get("/v1/pipelines")).json()
        assert [(each["name"], each["default"], each["live_batches"]) for each in body["pipelines"]] == [
            ("default", True, 1),
            ("comprehensive", False, 0),
        ]
        one = (await api.client.get("/v1/pipelines/default")).json()
        assert one == body["pipelines"][0]
        assert one["phases"][0]["deadline_s"] == 86_400
        missing = await api.client.get("/v1/pipelines/defualt")
        assert (missing.status_code, missing.json()["next_step"]) == (404, "Did you mean default?")


async def test_pipelines_are_shown_without_the_database() -> None:
    async with world() as api:
        api.projection.error = GONE
        body = (await api.client.get("/v1/pipelines")).json()
        assert body["pipelines"][0]["live_batches"] is None
        assert body["stale"] is not None


async def test_an_id_leads_to_what_it_names() -> None:
    async with world() as api:
        registered = await register(api)
        batch_id = registered["batch_id"]
        for text in (batch_id, batch_id[:8], f" {batch_id}", registered["correlation_id"]):
            answer = await api.client.get("/go", params={"q": text})
            assert (answer.status_code, answer.headers["Location"]) == (303, f"/v1/batches/{batch_id}"), text
        page = await api.client.get(f"/go/{batch_id}", headers=HTML)
        assert page.headers["Location"] == f"/batches/{batch_id}"
        nothing = await api.client.get("/go/ffffffff-none")
        assert (nothing.status_code, nothing.json()["code"]) == (404, "ORC-ID-NOT-FOUND")


async def test_an_id_of_somebody_else_leads_nowhere() -> None:
    async with world() as api:
        batch_id = (await register(api, ANN))["batch_id"]
        assert (await api.client.get(f"/go/{batch_id}", headers=ANN)).status_code == 303
        assert (await api.client.get(f"/go/{batch_id}", headers=BO)).status_code == 404


async def test_a_batch_that_the_projection_does_not_have_yet_is_found() -> None:
    async with world() as api:
        answer = await api.client.post("/v1/batches/register", json=seed_body())
        assert (await api.client.get(f"/go/{answer.json()['batch_id']}")).status_code == 303


async def _told(api: World) -> bool:
    return any(view.record.lag_s for view in api.services.follower.processes.views())


async def _differ(api: World) -> bool:
    return len(api.services.system.now().settings) > 1


async def test_a_process_that_was_removed_for_good_is_forgotten() -> None:
    async with world() as api:
        gone = process_record("orchestrator", instance="2", state=ProcessState.FAILED)
        api.tell(gone)

        async def listed() -> bool:
            body = (await api.client.get("/v1/system")).json()
            return "orchestrator/2" in [process["process"] for process in body["processes"]]

        await until(listed)
        path = "/v1/system/processes/orchestrator/2"
        assert (await api.client.delete(path, headers=ANN)).json()["code"] == "ORC-SCOPE"
        assert (await api.client.delete(path)).status_code == 204
        assert not await listed()
        missing = await api.client.delete(path)
        assert (missing.status_code, missing.json()["code"]) == (404, "ORC-PROCESS-NOT-FOUND")
        live = await api.client.delete("/v1/system/processes/orchestrator/0")
        assert (live.status_code, live.json()["code"]) == (409, "ORC-PROCESS-LIVE")
        api.tell(gone)
        await until(listed)
        api.cluster.unreachable = "Local: Message timed out"
        unwritten = await api.client.delete(path)
        assert (unwritten.status_code, unwritten.json()["code"]) == (503, "ORC-BROKER")
