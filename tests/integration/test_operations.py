"""Bulk operations and live updates on a real Kafka, over the death of the api."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import head_body

BATCHES = 60
API = "api-0"
ORCHESTRATOR = "orchestrator-0"


@pytest.fixture(scope="module")
def stack(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    prefix = f"bulk-{uuid.uuid4().hex[:8]}"
    options = StackOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        directory=tmp_path_factory.mktemp("stack"),
        settings={
            "TOPIC_PREFIX": prefix,
            "ORCHESTRATOR_GROUP": prefix,
            "ROUTER_GROUP": f"{prefix}-router",
            "RESPONSE_TIMEOUT_S": str(PATIENCE_S),
            "WRITE_TIMEOUT_S": str(PATIENCE_S),
            "STARTUP_TIMEOUT_S": str(PATIENCE_S),
            "KAFKA_SILENCE_TIMEOUT_S": str(PATIENCE_S),
        },
    )
    with Stack(options) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_urls[0], timeout=PATIENCE_S) as found:
        yield found


def answered(client: httpx.Client, path: str) -> dict[str, Any]:
    """Return the answer to a GET, once there is one: the api may be starting again."""

    found: dict[str, Any] = {}

    def answer() -> bool:
        try:
            response = client.get(path)
        except httpx.TransportError:
            return False
        found.update(response.json())
        return response.status_code == 200

    await_that(answer, f"{path} is answered")
    return found


def kill_api(stack: Stack) -> None:
    """Kill the api; the supervisor starts it again."""
    before = stack.supervisor.restarts[API]
    os.kill(stack.supervisor.pid(API), signal.SIGKILL)
    await_that(lambda: stack.supervisor.restarts[API] > before, "the api is started again")


@contextmanager
def frozen(stack: Stack, name: str) -> Iterator[None]:
    pid = stack.supervisor.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_an_operation_is_finished_by_the_next_api_when_the_first_one_is_killed(
    stack: Stack, client: httpx.Client
) -> None:
    course = "ENG6"
    batches = [client.post("/v1/batches/register", json=head_body(course_code=course)) for _ in range(BATCHES)]
    ids = sorted(answer.json()["batch_id"] for answer in batches)
    await_that(
        lambda: len(answered(client, f"/v1/batches?course={course}&limit=100")["batches"]) == BATCHES,
        "the projection shows every batch",
    )
    asked = {"action": "cancel", "filter": {"course": course}, "reason": "a wrong import"}
    dry_run = client.post("/v1/operations", json={**asked, "dry_run": True}).json()
    assert dry_run["fits"] == BATCHES
    assert sum(each["count"] for each in dry_run["results"]) == dry_run["sampled"] <= 50
    with frozen(stack, ORCHESTRATOR):  # so that the first items are written and not decided when the api dies
        begun = client.post("/v1/operations", json=asked)
        assert (begun.status_code, begun.json()["expected"]) == (202, BATCHES)
        path = begun.headers["Location"]
        kill_api(stack)
    await_that(lambda: answered(client, path)["state"] == "finished", "the operation is finished")
    found = answered(client, path)
    assert found["results"] == [{"disposition": "applied", "reason": "batch_cancelled", "count": BATCHES}]

    def decided(batch_id: str) -> list[str]:
        """Return the dispositions of what the operation asked of a batch, as far as they are projected."""
        decisions = answered(client, f"/v1/batches/{batch_id}/history")["decisions"]
        asked = [each for each in decisions if (each["origin"] or {}).get("correlation_id") == found["operation_id"]]
        return [each["disposition"] for each in asked]

    await_that(lambda: all("applied" in decided(batch_id) for batch_id in ids), "every history is projected")
    for batch_id in ids:
        dispositions = decided(batch_id)
        assert dispositions.count("applied") == 1, "each batch was cancelled once"
        assert set(dispositions) <= {"applied", "duplicate"}


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield name, data and id of each event of a stream."""
    name, data, event_id = "", "", ""
    for line in response.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            data = value
        elif key == "id":
            event_id = value
        elif not line and name:
            yield name, json.loads(data), event_id


def test_a_client_that_comes_back_to_a_new_api_is_told_what_it_has_missed(stack: Stack, client: httpx.Client) -> None:
    def register() -> str:
        found: str = client.post("/v1/batches/register", json=head_body(course_code="SV2")).json()["batch_id"]
        return found

    with client.stream("GET", "/v1/stream", params={"course": "SV2"}) as response:
        stream = events(response)
        assert next(stream)[0] == "heartbeat"
        first = register()
        name, data, last = next(event for event in stream if event[0] == "batch")
        assert [each["id"] for each in data["ids"]] == [first]
        name, _, last = next(event for event in stream if event[0] == "projected")
    kill_api(stack)
    answered(client, "/readyz")
    missed = register()
    with client.stream("GET", "/v1/stream", params={"course": "SV2"}, headers={"Last-Event-ID": last}) as response:
        name, data, _ = next(event for event in events(response) if event[0] in ("batch", "reset"))
    assert (name, [each["id"] for each in data.get("ids", [])]) == ("batch", [missed])
