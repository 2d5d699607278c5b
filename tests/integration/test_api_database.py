"""The api on a real Kafka while its projection database is held by another process."""

import uuid
from pathlib import Path

import httpx

from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import seed_body
from tests.unit.api.queries.databases import sqlite_held

WAIT_S = PATIENCE_S
REGISTRATIONS = 20
NEVER_S = "600"
"""So far off that a registration which waits for a read of the database is not answered in its time."""


def test_registrations_go_on_while_the_database_is_held(kafka: Kafka, tmp_path: Path) -> None:
    prefix = f"apidb-{uuid.uuid4().hex[:8]}"
    options = StackOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        directory=tmp_path,
        apis=1,
        settings={
            "TOPIC_PREFIX": prefix,
            "ORCHESTRATOR_GROUP": prefix,
            "ROUTER_GROUP": f"{prefix}-router",
            "PROJECTOR_GROUP": f"{prefix}-projector",
            "PROJECTION_TIMEOUT_S": NEVER_S,
        },
    )
    with Stack(options) as stack, httpx.Client(base_url=stack.api_urls[0], timeout=WAIT_S) as client:

        def register(key: str) -> str:
            response = client.post("/v1/batches/register", json=seed_body(), headers={"Idempotency-Key": key})
            assert response.status_code == 202, response.text
            return str(response.json()["batch_id"])

        first = register("before")
        _await_projected(client)
        with sqlite_held(tmp_path / "projection.db"):
            ids = {register(f"key-{number}") for number in range(REGISTRATIONS)}
            assert register("before") == first, "only the database holds it"
        assert len(ids) == REGISTRATIONS
        for batch_id in (first, *ids):
            assert client.get(f"/v1/batches/{batch_id}/status").status_code == 200


def _await_projected(client: httpx.Client) -> None:
    """Return when the projection has passed all that was registered."""
    await_that(lambda: "batch_orchestrator_api_held_batches 0.0" in client.get("/metrics").text, "nothing is held")
