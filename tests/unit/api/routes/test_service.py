"""Health, metrics, and what holds for every route."""

from uuid import UUID

import pytest
from httpx import Response
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from schemas.errors import BrokerError
from schemas.internal.records import decode_status
from schemas.topics import Topic
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, MemoryProjection, World, answers, until, well, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def value(response: Response, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


async def test_a_well_service_answers_as_the_original() -> None:
    async with world() as api:
        response = await api.client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "message": "Batch Orchestrator Service is healthy"}


async def reasons(api: World) -> list[str]:
    response = await api.client.get("/healthz")
    assert response.status_code == 503
    body = response.json()
    assert body["status"] == "unavailable"
    found: list[str] = body["reasons"]
    return found


@pytest.mark.parametrize("process", ["router", "orchestrator", "projector"])
async def test_defect_41_health_sees_each_process_that_is_missing_unassigned_or_behind(process: str) -> None:
    async with world(max_lag_s=30) as api:
        others = [well(name) for name in ("router", "orchestrator", "projector") if name != process]
        missing = well(process)
        kinds = {
            "no process is running": replace(missing, members=0, assigned=0),
            "no partitions are assigned": replace(missing, assigned=0),
            "45 s behind": replace(missing, behind_s=45.0),
        }
        for words, state in kinds.items():
            api.groups.seen = [*others, state]
            (reason,) = await reasons(api)
            assert reason.startswith(process)
            assert words in reason


async def test_defect_41_health_sees_that_the_groups_cannot_be_asked() -> None:
    async with world() as api:
        api.groups.error = "The Kafka cluster does not tell about its groups."
        assert await reasons(api) == ["The Kafka cluster does not tell about its groups."]


async def test_defect_41_health_sees_a_dead_tail() -> None:
    class Broken(MemoryCluster):
        broken = False

        def end(self, partition: object) -> int:
            if self.broken:
                raise BrokerError("The log is gone.", next_step="Look.")
            return super().end(partition)  # type: ignore[arg-type]

    cluster = Broken()
    async with world(cluster) as api:
        cluster.broken = True
        await answers(api.client, "/livez", 503)
        assert len(api.failures) == 1
        assert "The log is gone" in (await reasons(api))[0]
        assert (await api.client.get("/livez")).status_code == 503
        assert (await api.client.get("/readyz")).status_code == 503
        assert (await api.client.post(REGISTER, json=seed_body())).status_code == 503


async def test_an_outage_of_the_cluster_does_not_end_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.kafka_log.follower._CHECK_EVERY_S", 0.0)
    async with world() as api:
        location = (await api.client.post(REGISTER, json=seed_body())).headers["Location"]
        api.cluster.unreachable = "All brokers are down."
        before = api.cluster.checks

        async def checked() -> bool:
            return api.cluster.checks > before + 2

        await until(checked)
        assert (await api.client.get(location)).status_code == 200
        assert (await api.client.get("/livez")).status_code == 200
        api.cluster.unreachable = None
        assert (await api.client.post(REGISTER, json=seed_body())).status_code == 202
    assert api.failures == []


async def test_a_projection_of_a_status_topic_that_was_made_again_is_told() -> None:
    cluster = MemoryCluster()
    projection = MemoryProjection(cluster)
    projection.reflected = {partition: 1_000 for partition in cluster.logs if partition.topic is Topic.STATUS}
    async with world(cluster, projection, wait_ready=False) as api:

        async def told() -> bool:
            return "ORC-PROJECTION-AHEAD" in (await api.client.get("/readyz")).text

        await until(told)
        assert (await api.client.post(REGISTER, json=seed_body())).status_code == 503
        assert "ORC-PROJECTION-AHEAD" in (await api.client.get("/v1/batches/b/status")).text


async def test_health_sees_a_projection_that_cannot_be_read() -> None:
    async with world() as api:
        api.projection.error = BrokerError("The database is away.", next_step="Wait.")
        await answers(api.client, "/healthz", 503)
        assert "The database is away" in (await reasons(api))[0]


async def test_health_sees_a_projection_that_is_behind_the_log() -> None:
    async with world(max_lag_s=0.05) as api:
        await api.client.post(REGISTER, json=seed_body())
        await answers(api.client, "/healthz", 503)
        assert "projector" in (await reasons(api))[0]
        api.projection.project()
        await answers(api.client, "/healthz", 200)


async def test_defect_44_the_metrics_move() -> None:
    async with world() as api:
        before = await api.client.get("/metrics")
        accepted = await api.client.post(REGISTER, json=seed_body())
        await api.client.post(REGISTER, json={})
        batch_id = accepted.json()["batch_id"]
        await api.client.get(f"/v1/batches/{batch_id}/status")
        await api.client.get("/nothing/here")
        after = await api.client.get("/metrics")

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    template = "/v1/batches/{batch_id}/status"
    assert grown("http_requests_total", method="POST", endpoint=REGISTER, status_code="202") == 1
    assert grown("http_requests_total", method="POST", endpoint=REGISTER, status_code="400") == 1
    assert grown("http_requests_total", method="GET", endpoint=template, status_code="200") == 1
    assert grown("http_requests_total", method="GET", endpoint="unmatched", status_code="404") == 1
    assert grown("http_request_duration_seconds_count", method="GET", endpoint=template) == 1
    assert grown("batch_operations_total", operation="register_batch", status="success") == 1
    assert grown("batch_operations_total", operation="register_batch", status="validation_error") == 1
    assert grown("batch_orchestrator_batches_registered_total") == 1
    assert value(after, "batch_orchestrator_api_ready") == 1
    assert value(after, "batch_orchestrator_process_members", process="router") == 1
    assert batch_id not in after.text, "labels are bounded"


async def test_openmetrics_by_content_negotiation() -> None:
    async with world() as api:
        open_metrics = await api.client.get("/metrics", headers={"Accept": OPENMETRICS})
        plain = await api.client.get("/metrics")
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert any(family.name == "http_requests" for family in parse_openmetrics(open_metrics.text))  # type: ignore[no-untyped-call]
    assert plain.headers["content-type"].startswith("text/plain")


async def test_unknown_routes_and_methods_are_problems_too() -> None:
    async with world() as api:
        missing = await api.client.get("/nothing/here")
        method = await api.client.delete(REGISTER)
    assert (missing.status_code, missing.json()["code"]) == (404, "ORC-NO-ROUTE")
    assert (method.status_code, method.json()["code"]) == (405, "ORC-METHOD")
    assert method.headers["Allow"] == "POST"
    for response in (missing, method):
        assert response.headers["content-type"] == "application/problem+json"


async def test_every_answer_carries_a_correlation_id() -> None:
    mine = "33333333-3333-4333-8333-333333333333"
    async with world() as api:
        for route in ("/healthz", "/nothing", "/v1/batches/b/status"):
            given = await api.client.get(route, headers={"X-Correlation-ID": mine.upper()})
            assert given.headers["X-Correlation-ID"] == mine
            fresh = await api.client.get(route, headers={"X-Correlation-ID": "nope"})
            UUID(fresh.headers["X-Correlation-ID"])
        problem = await api.client.post(REGISTER, json={}, headers={"X-Correlation-ID": mine})
    assert problem.json()["correlation_id"] == mine


async def test_a_defect_tells_nothing_of_itself() -> None:
    async with world() as api:
        api.projection.get = None  # type: ignore[assignment, method-assign]
        response = await api.client.get("/v1/batches/b/status")
    assert response.status_code == 500
    assert response.json()["code"] == "ORC-INTERNAL"
    assert "NoneType" not in response.text


async def test_the_interface_is_described() -> None:
    async with world() as api:
        described = (await api.client.get("/openapi.json")).json()
    body = described["paths"][REGISTER]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schemas = described["components"]["schemas"]
    bodies = [schemas[each["$ref"].rpartition("/")[2]] for each in body["anyOf"]]
    assert all("expected_essay_count" in schema["properties"] for schema in bodies)


async def test_replicas_answer_alike() -> None:
    cluster = MemoryCluster()
    async with world(cluster) as one, world(cluster) as two:
        response = await one.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        batch_id = response.json()["batch_id"]
        again = await two.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        assert again.json() == response.json()
        first, second = [await api.client.get(f"/v1/batches/{batch_id}/status") for api in (one, two)]
    assert first.json() == second.json()
    (record,) = [r for p, log in cluster.logs.items() if p.topic is Topic.STATUS for r in log]
    assert decode_status(record.value or b"").batch_id == batch_id
