"""Cancel, pause, resume and retry on a real Kafka: over HTTP and the command line, through every process."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Message

from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from schemas.topics import PHASE_COMMANDS, Topic
from tests.integration.processes import Log, header_map, sample, send
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import head_body

OWNER = {"X-User-ID": "ms-berg", "X-Org-ID": "school-7"}


@pytest.fixture(scope="module")
def stack(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    prefix = f"control-{uuid.uuid4().hex[:8]}"
    options = StackOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        directory=tmp_path_factory.mktemp("stack"),
        settings={
            "TOPIC_PREFIX": prefix,
            "ORCHESTRATOR_GROUP": prefix,
            "ROUTER_GROUP": f"{prefix}-router",
            "RESPONSE_TIMEOUT_S": str(PATIENCE_S),
            "WRITE_TIMEOUT_S": str(PATIENCE_S),
            "PROJECTION_TIMEOUT_S": str(PATIENCE_S),
            "STARTUP_TIMEOUT_S": str(PATIENCE_S),
        },
    )
    with Stack(options) as running:
        yield running


class Registered:
    """A batch of three essays that asks for both phases, with the peers played by the test."""

    def __init__(self, stack: Stack, client: httpx.Client) -> None:
        self._stack = stack
        self.client = client
        body = head_body(enable_cj_assessment=True)
        response = client.post("/v1/batches/register", json=body, headers=OWNER)
        assert response.status_code == 202, response.text
        self.batch_id: str = response.json()["batch_id"]
        self.essays: list[str] = self.of(Topic.REGISTERED)[0]["data"]["essay_ids"]

    def of(self, topic: Topic, count: int = 1) -> list[dict[str, Any]]:
        """Wait for the first `count` records of this batch on a topic, and return their envelopes."""

        def mine(message: Message) -> bool:
            return bool(message.key() == self.batch_id.encode())

        with Log(self._stack.settings, topic) as log:

            def found() -> list[Message]:
                log.look()
                own = [message for message in log.records if mine(message)]
                return own if len(own) >= count else []

            await_that(found, f"{topic} holds {count} records of the batch")
            return [json.loads(message.value() or b"") for message in log.records if mine(message)]

    def essays_are_ready(self) -> None:
        refs = [{"essay_id": essay, "text_storage_id": f"text-{essay}"} for essay in self.essays]
        event = sample("batch_essays_ready", "three_ready", batch_id=self.batch_id, ready_essays=refs)
        send(self._stack.settings, Topic.ESSAYS_READY, [{"value": json.dumps(event)}])

    def outcome(self, phase: str, attempt: int, failed: int) -> None:
        """Send the outcome of an attempt, as the peer that got its command would."""
        command = self.of(PHASE_COMMANDS[phase], attempt)[attempt - 1]
        name = "essays_to_process" if "essays_to_process" in command["data"] else "essays_for_processing"
        essays = command["data"].get(name) or command["data"]["essays"]
        refs = [{"essay_id": each["essay_id"], "text_storage_id": f"{phase}-{each['essay_id']}"} for each in essays]
        event = sample(
            "els_batch_phase_outcome",
            "spellcheck_partial" if failed else "spellcheck_ok",
            batch_id=self.batch_id,
            phase_name=phase,
            processed_essays=refs[failed:],
            failed_essay_ids=[ref["essay_id"] for ref in refs[:failed]],
            correlation_id=command["correlation_id"],
        )
        send(self._stack.settings, Topic.OUTCOME_SEED, [{"value": json.dumps(event)}])

    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = self.client.get(f"/v1/batches/{self.batch_id}/status", headers=OWNER).json()
        return body

    def await_phase(self, phase: str, *statuses: str) -> dict[str, Any]:
        """Wait until a phase has one of the statuses, and return the batch's status."""

        def reached() -> dict[str, Any] | None:
            status = self.status()
            return status if status["pipeline_state"][phase]["status"] in statuses else None

        found: list[dict[str, Any]] = []

        def seen() -> bool:
            status = reached()
            found.extend([status] if status is not None else [])
            return status is not None

        await_that(seen, f"{phase} is {' or '.join(statuses)}")
        return found[0]

    def ask(self, kind: str, body: dict[str, Any], query: str = "", **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/v1/batches/{self.batch_id}/{kind}{query}"
        return self.client.post(path, json=body, headers={**OWNER, **names})


@pytest.fixture
def batch(stack: Stack) -> Iterator[Registered]:
    with httpx.Client(base_url=stack.api_url, timeout=PATIENCE_S) as client:
        yield Registered(stack, client)


def bos(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "batches", *arguments],
        env={**os.environ, "BOS_URL": stack.api_url},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_batch_is_paused_resumed_retried_and_cancelled(stack: Stack, batch: Registered, tmp_path: Path) -> None:
    batch.essays_are_ready()
    running = batch.await_phase("spellcheck", "dispatch_initiated")

    paused = batch.ask("pause", {"reason": "exam week"}, If_Match=f'"{running["version"]}"', Idempotency_Key="p")
    assert paused.status_code == 200, paused.text
    assert (paused.json()["reason"], paused.json()["repeated"]) == ("batch_paused", False)
    assert paused.json()["batch"]["version"] == paused.json()["version"] > running["version"]
    again = batch.ask("pause", {"reason": "exam week", "if_version": running["version"]}, Idempotency_Key="p")
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    late = batch.ask("cancel", {}, If_Match=f'"{running["version"]}"')
    assert (late.status_code, late.json()["code"]) == (412, "ORC-VERSION-CHANGED")
    assert batch.ask("cancel", {}, X_User_ID="mr-lind").status_code == 404

    batch.outcome("spellcheck", 1, failed=1)
    status = batch.await_phase("spellcheck", "completed_with_partial_success")
    assert status["pipeline_state"]["cj_assessment"]["status"] == "pending_dependencies", "it is paused"

    # The operator, who is not the owner, has the scope for every owner's batches.
    preview = bos(stack, "resume", batch.batch_id, "--dry-run", "-o", "json")
    assert preview.returncode == 0, preview.stderr
    commands = [effect for effect in json.loads(preview.stdout)["effects"] if effect["kind"] == "command_phase"]
    assert [(each["phase"], each["attempt"], each["essays"]) for each in commands] == [("cj_assessment", 1, 2)]
    assert batch.status() == status, "a preview changes nothing"
    resumed = bos(stack, "resume", batch.batch_id, "--reason", "exam is over")
    assert (resumed.returncode, "batch_resumed" in resumed.stdout) == (0, True), resumed.stderr
    batch.await_phase("cj_assessment", "dispatch_initiated")

    retried = batch.ask("retry", {"phase": "spellcheck", "essays": "failed", "reason": "the peer was mended"})
    assert (retried.status_code, retried.json()["reason"]) == (200, "retry_started"), retried.text
    batch.outcome("spellcheck", 2, failed=0)
    status = batch.await_phase("cj_assessment", "dispatch_initiated")
    command = batch.of(Topic.CJ_ASSESSMENT_COMMAND, 2)[1]
    assert all(essay in json.dumps(command) for essay in batch.essays), "the second attempt has all three essays"

    cancelled = bos(stack, "cancel", batch.batch_id, "--reason", "withdrawn", "-o", "json")
    assert cancelled.returncode == 0, cancelled.stderr
    assert json.loads(cancelled.stdout)["batch"]["status"] == "cancelled"
    refused = bos(stack, "retry", batch.batch_id, "--from", "spellcheck")
    assert (refused.returncode, "batch_ended" in refused.stdout) == (4, True)
    assert len(batch.of(Topic.COMPLETED)) == 1
    check_history(batch)


def check_history(batch: Registered) -> None:
    """The history says who asked, why and when, and has one record for each request."""
    with Log(batch._stack.settings, Topic.HISTORY) as log:

        def requests() -> list[dict[str, Any]]:
            log.look()
            records = [message for message in log.records if message.key() == batch.batch_id.encode()]
            return [json.loads(message.value() or b"") for message in records if "request_id" in header_map(message)]

        await_that(lambda: len(requests()) >= 9, "every request has its history record")
        found = [record for record in requests() if record["disposition"] == "applied"]
    told = [
        (record["kind"], record["actor"].get("subject", "anonymous"), record["reason"].get("detail"))
        for record in found
    ]
    assert told == [
        ("register", "ms-berg", None),
        ("pause", "ms-berg", "exam week"),
        ("resume", "anonymous", "exam is over"),
        ("retry", "ms-berg", "the peer was mended"),
        ("cancel", "anonymous", "withdrawn"),
    ]
    assert all(record["time_ms"] > 0 and record["request_id"] for record in found)
