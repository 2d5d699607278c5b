"""The running system, as an api on a real Kafka describes it."""

import uuid
from pathlib import Path
from typing import Any

import httpx

from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import seed_body

KINDS = {"router", "orchestrator", "projector", "timekeeper"}


def test_the_system_is_seen_with_its_partitions_its_gate_and_one_group_of_settings(
    kafka: Kafka, tmp_path: Path
) -> None:
    prefix = f"system-{uuid.uuid4().hex[:8]}"
    settings = {
        "TOPIC_PREFIX": prefix,
        "ORCHESTRATOR_GROUP": prefix,
        "ROUTER_GROUP": f"{prefix}-router",
        "PROJECTOR_GROUP": f"{prefix}-projector",
        "TIMEKEEPER_GROUP": f"{prefix}-timekeeper",
        "REPORT_INTERVAL_S": "0.5",
    }
    options = StackOptions(bootstrap_servers=kafka.bootstrap_servers, directory=tmp_path, apis=1, settings=settings)
    with Stack(options) as stack, httpx.Client(base_url=stack.api_urls[0], timeout=PATIENCE_S) as client:

        def system() -> dict[str, Any]:
            return client.get("/v1/system").json()  # type: ignore[no-any-return]

        registered = client.post("/v1/batches/register", json=seed_body()).json()
        await_that(lambda: {each["process"].partition("/")[0] for each in system()["partitions"]} >= KINDS, "all read")
        await_that(lambda: (system()["gate"] or {}).get("open_until"), "deadlines may be fired")
        await_that(lambda: not any(system()["lag_seconds"].values()), "everything is caught up")

        def read(found: dict[str, Any]) -> list[dict[str, Any]]:
            topic = f"{prefix}.batch.orchestrator.inbox.v1"
            return [each for each in found["partitions"] if each["topic"] == topic]

        await_that(lambda: sum(each["position"] or 0 for each in read(system())), "the registration's place is told")
        found = system()
        assert len(found["settings"]) == 1, found["settings"]
        assert {each["process"] for each in read(found)} == {"orchestrator/0"}
        page = await_that(lambda: client.get("/v1/batches").json()["batches"], "the batch is in the list")
        assert page[0]["batch_id"] == registered["batch_id"]
        assert page[0]["why"]["code"] == "waiting_for_content"
        assert client.get(f"/go/{registered['batch_id'][:8]}").status_code == 303
        assert client.get("/v1/stats").json()["live"] == 1
