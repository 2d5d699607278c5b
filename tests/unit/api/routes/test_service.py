"""Health, metrics, and what holds for every route."""

from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from schemas.errors import BrokerError
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.processes import OpenTransaction, ProcessProblem, ProcessState
from schemas.internal.records import decode_status
from schemas.topics import Topic
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, MemoryProjection, World, answers, process_record, until, world

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


async def told(api: World, code: str, words: str) -> dict[str, str]:
    """Return what health says under `code` with these words, when it does."""

    def found() -> list[dict[str, str]]:
        problems = api.services.health.report().findings
        return [one.body() for one in problems if one.code == code and words in one.message]

    async def there() -> bool:
        return bool(found())

    await until(there)
    assert (await api.client.get("/healthz")).status_code == 503
    return found()[0]


PROCESSES = ("router", "orchestrator", "projector", "timekeeper")


@pytest.mark.parametrize("process", PROCESSES)
async def test_defect_41_health_sees_each_kind_of_process_that_is_not_there(process: str) -> None:
    async with world(processes=tuple(name for name in PROCESSES if name != process)) as api:
        assert (await told(api, "ORC-PROCESS-MISSING", "no process is running"))["process"] == process
        api.tell(process_record(process))
        await answers(api.client, "/healthz", 200)


@pytest.mark.parametrize("process", PROCESSES)
async def test_defect_41_health_sees_each_process_that_is_unassigned_behind_or_not_ready(process: str) -> None:
    problem = ProcessProblem("ORC-PROCESS-NOT-READY", "Local state is being restored.")
    kinds: dict[tuple[str, str], dict[str, Any]] = {
        ("ORC-PROCESS-NOT-READY", "no partitions are assigned"): {"partitions": 0},
        ("ORC-PROCESS-BEHIND", "45 s behind"): {"lag_s": 45.0},
        ("ORC-PROCESS-NOT-READY", "being restored"): {"restored": False, "problems": (problem,)},
    }
    async with world(max_lag_s=30) as api:
        for (code, words), facts in kinds.items():
            api.tell(process_record(process, **facts))
            found = await told(api, code, words)
            assert found["process"].startswith(process)
            (reason,) = await reasons(api)
            assert reason == f"{found['process']}: {found['message']}"
        api.tell(process_record(process))
        await answers(api.client, "/healthz", 200)


async def test_deadlines_that_wait_for_the_router_are_told_by_each_timekeeper() -> None:
    problem = ProcessProblem("ORC-DEADLINE-GATE", "Deadlines have waited for 90 s.", "Start the router.")
    async with world() as api:
        other = process_record("timekeeper", instance="1", start_id="another")
        api.tell(other, process_record("timekeeper", problems=(problem,)))
        found = await told(api, "ORC-DEADLINE-GATE", "waited for 90 s")
        assert (found["process"], found["next_step"]) == ("timekeeper/0", "Start the router.")
        api.tell(process_record("timekeeper"))
        await answers(api.client, "/healthz", 200)


async def test_a_process_that_stops_in_order_is_not_missing_where_another_goes_on() -> None:
    async with world() as api:
        api.tell(process_record("orchestrator", instance="1", start_id="another"))
        api.tell(process_record("orchestrator", instance="1", start_id="another", state=ProcessState.STOPPED))

        async def stopped() -> bool:
            return "stopped" in [view.state for view in api.services.follower.processes.views()]

        await until(stopped)
        assert (await api.client.get("/healthz")).status_code == 200
        api.tell(process_record("router", state=ProcessState.STOPPED))
        await told(api, "ORC-PROCESS-MISSING", "no process is running")


async def test_a_process_that_has_ended_with_an_error_is_told_with_its_code() -> None:
    async with world() as api:
        fault = ProcessProblem("ORC-STATE", "The state is foreign.", "Use another directory.")
        api.tell(process_record("orchestrator", state=ProcessState.FAILED, problems=(fault,)))
        found = await told(api, "ORC-STATE", "The state is foreign")
        assert (found["process"], found["next_step"]) == ("orchestrator/0", "Use another directory.")


async def test_two_processes_with_one_instance_are_told() -> None:
    async with world() as api:
        one = process_record("orchestrator")
        other = process_record("orchestrator", start_id="another", host="host-2")
        api.tell(one, other, one, other)
        assert (await told(api, "ORC-INSTANCE-TWICE", "two processes with one INSTANCE"))["process"] == "orchestrator/0"
        assert {"host-1", "host-2"} <= set(" ".join(await reasons(api)).split())
        api.tell(process_record("orchestrator", start_id="another", state=ProcessState.STOPPED))
        await answers(api.client, "/healthz", 200)


async def test_an_open_transaction_is_told_once_however_many_readers_it_holds_back() -> None:
    held = OpenTransaction("huleedu.els.batch.phase.outcome.v1", 2, 17, 12.0)
    async with world() as api:
        api.tell(
            process_record("router", open_transactions=(held,)), process_record("projector", open_transactions=(held,))
        )
        found = await told(api, "ORC-OPEN-TRANSACTION", "huleedu.els.batch.phase.outcome.v1[2]")
        assert "offset 17 for 12 s" in found["message"]
        assert "find-hanging" in found["next_step"]
        assert len(await reasons(api)) == 1
        api.tell(process_record("router"), process_record("projector"))
        await answers(api.client, "/healthz", 200)


async def test_where_nothing_is_heard_no_process_is_called_missing() -> None:
    async with world() as api:
        await answers(api.client, "/healthz", 200)
        api.services.health._silence_s = -1.0
        (reason,) = await reasons(api)
        assert reason.startswith("api: no process, including this one, has reported for")


async def test_a_damaged_report_is_passed_over() -> None:
    async with world() as api:
        api.cluster.append(OutgoingRecord(Topic.PROCESSES, b"router/0", b"not json"), marker=False)
        api.cluster.append(OutgoingRecord(Topic.PROCESSES, b"router/\xff", b"{}"), marker=False)
        api.tell(process_record("router", lag_s=1.5))

        async def heard() -> bool:
            return any(view.record.lag_s == 1.5 for view in api.services.follower.processes.views())

        await until(heard)
        assert (await api.client.get("/healthz")).status_code == 200
    assert api.failures == []


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
    monkeypatch.setattr("api.kafka_log.reading_thread._CHECK_EVERY_S", 0.0)
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
