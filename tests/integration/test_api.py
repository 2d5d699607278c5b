"""The api on a real Kafka, behind the real router, orchestrator and projector."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.broker import Kafka
from cli.supervision.ports import free_port
from cli.supervision.stack import Stack, StackOptions
from runtime import exit_codes
from runtime.settings import ENV_PREFIX
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import head_body, seed_body

REGISTER = "/v1/batches/register"
WAIT_S = PATIENCE_S


@pytest.fixture(scope="module")
def stack(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every process of the product, with two replicas of the api."""
    prefix = f"api-{uuid.uuid4().hex[:8]}"
    options = StackOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        directory=tmp_path_factory.mktemp("stack"),
        apis=2,
        settings={
            "TOPIC_PREFIX": prefix,
            "ORCHESTRATOR_GROUP": prefix,
            "ROUTER_GROUP": f"{prefix}-router",
            "PROJECTOR_GROUP": f"{prefix}-projector",
            "TIMEKEEPER_GROUP": f"{prefix}-timekeeper",
            "RESPONSE_TIMEOUT_S": str(WAIT_S),
            "WRITE_TIMEOUT_S": str(WAIT_S),
            "PROJECTION_TIMEOUT_S": str(WAIT_S),
            "STARTUP_TIMEOUT_S": str(WAIT_S),
        },
    )
    with Stack(options) as running:
        yield running


@pytest.fixture
def replicas(stack: Stack) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    one, two = [httpx.Client(base_url=url, timeout=WAIT_S) for url in stack.api_urls]
    with one, two:
        yield one, two


def status_path(batch_id: str) -> str:
    return f"/v1/batches/{batch_id}/status"


def test_a_batch_is_there_on_every_replica_right_after_the_202(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, two = replicas
    for number in range(20):
        body = seed_body(enable_cj_assessment=bool(number % 2)) if number % 3 else head_body()
        answer = one.post(REGISTER, json=body)
        assert answer.status_code == 202, answer.text
        shown = [client.get(status_path(answer.json()["batch_id"])) for client in (two, one)]
        assert [response.status_code for response in shown] == [200, 200]
        assert shown[0].json() == shown[1].json()
        assert shown[0].json()["correlation_id"] == answer.json()["correlation_id"]


def test_a_repeat_gets_the_first_answer_from_any_replica(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, two = replicas
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = one.post(REGISTER, json=seed_body(), headers=headers)
    assert first.status_code == 202
    assert two.post(REGISTER, json=seed_body(), headers=headers).json() == first.json()
    other = two.post(REGISTER, json=seed_body(teacher_name="Ms Ek"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "ORC-KEY-REUSED")


def test_an_unknown_batch_is_not_found_in_no_time(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    # Every status partition ends with the control record of a transaction, which no reader is ever given.
    one, _ = replicas
    answers = [one.get(status_path(str(uuid.uuid4()))) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {404}


def test_bad_input_is_the_clients_fault(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, _ = replicas
    json_type = {"Content-Type": "application/json"}
    answers = [
        one.post(REGISTER, content=b"{", headers=json_type),
        one.post(REGISTER, content=b"[1]", headers=json_type),
        one.post(REGISTER, content=b"\xff", headers=json_type),
        one.post(REGISTER, content=b'{"a":' + b"[" * 50_000, headers=json_type),
        one.post(REGISTER, content=b"{}", headers={"Content-Type": "text/plain"}),
        one.post(REGISTER, json=seed_body(expected_essay_count=5_001)),
        one.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k" * 300}),
    ]
    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert "5000" in answers[5].json()["detail"]
    huge = one.post(REGISTER, content=b" " * 5_000_000, headers=json_type)
    assert huge.status_code == 413


def test_the_largest_batch_is_taken(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, _ = replicas
    ids = [str(uuid.uuid4()) for _ in range(5_000)]
    answer = one.post(REGISTER, json=seed_body(expected_essay_count=5_000, essay_ids=ids))
    assert answer.status_code == 202, answer.text
    assert one.get(status_path(answer.json()["batch_id"])).json()["counts"]["expected"] == 5_000


def registered_again(client: httpx.Client, key: str) -> dict[str, Any]:
    """Repeat a registration until it is answered with 202, as its client does where the product is busy."""

    def accepted() -> dict[str, Any] | None:
        answer = client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": key})
        assert answer.status_code in (202, 503), answer.text
        return answer.json() if answer.status_code == 202 else None

    answer = await_that(accepted, "the registration is accepted")
    assert answer is not None
    return answer


def test_defect_41_health_tells_which_process_is_missing(stack: Stack) -> None:
    # Members of the router and the projector leave their groups when they stop in order.
    for process in ("router", "projector"):
        stack.supervisor.leave(process)
        await_reason(stack.api_urls[1], f"{process}: no process is running.")
        stack.supervisor.start(process)
    stack.await_ready(WAIT_S)


def await_reason(url: str, reason: str) -> None:
    def told() -> bool:
        answer = httpx.get(f"{url}/healthz", timeout=WAIT_S)
        return answer.status_code == 503 and reason in answer.json()["reasons"]

    await_that(told, f"health says {reason!r}")


def test_defect_44_the_metrics_of_the_log_move(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    _, two = replicas
    before = sample(two, "batch_orchestrator_batches_registered_total")
    assert two.post(REGISTER, json=seed_body()).status_code == 202
    assert sample(two, "batch_orchestrator_batches_registered_total") > before
    assert sample(two, "batch_orchestrator_process_members", process="orchestrator") == 1


def sample(client: httpx.Client, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    found = [s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()]
    return sum(found)


# -------------------------------------------------------------------------------------------- a process of its own


@contextmanager
def api_process(stack: Stack, directory: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Another api beside the stack; its process, its address and its log."""
    port = free_port()
    shared = {f"{ENV_PREFIX}{name}": value for name, value in stack._shared().items()}
    own = {f"{ENV_PREFIX}PORT": str(port), f"{ENV_PREFIX}STOP_TIMEOUT_S": str(WAIT_S)} | {
        f"{ENV_PREFIX}{name}": value for name, value in settings.items()
    }
    log = directory / "api.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "api"],
            env={**os.environ, **shared, **own},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process, f"http://127.0.0.1:{port}", log
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(WAIT_S)


def await_ready(url: str) -> None:
    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=WAIT_S).status_code == 200
        except httpx.TransportError:
            return False

    await_that(ready, "it is ready")


def test_workers_answer_alike_and_their_metrics_add_up(stack: Stack, tmp_path: Path) -> None:
    with api_process(stack, tmp_path, WEB_CONCURRENCY="2") as (process, url, log):
        await_ready(url)
        registered: set[str] = set()
        for _ in range(12):  # each on a connection of its own, so that both workers are met
            answer = httpx.post(f"{url}{REGISTER}", json=seed_body(), timeout=WAIT_S)
            assert answer.status_code in (202, 503), answer.text
            if answer.status_code == 202:
                registered.add(answer.json()["batch_id"])
        for batch_id in registered:
            await_shown(url, batch_id)
        with httpx.Client(base_url=url, timeout=WAIT_S) as client:
            counted = sample(client, "http_requests_total", endpoint=REGISTER, status_code="202")
            assert counted == len(registered) > 0
            accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
            assert client.get("/metrics", headers=accept).text.endswith("# EOF\n")
        stop(process, log)


def await_shown(url: str, batch_id: str) -> None:
    """Wait until the batch is shown by whichever worker is met; one that is not ready yet answers 503."""

    def shown() -> bool:
        answer = httpx.get(url + status_path(batch_id), timeout=WAIT_S)
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200

    await_that(shown, f"batch {batch_id} is shown")


def test_it_serves_on_an_ipv6_address(stack: Stack, tmp_path: Path) -> None:
    with api_process(stack, tmp_path, HOST="::1") as (process, url, log):
        address = f"http://[::1]:{httpx.URL(url).port}"
        await_ready(address)
        with httpx.Client(base_url=address, timeout=WAIT_S) as client:
            batch_id = registered_again(client, str(uuid.uuid4()))["batch_id"]
            assert client.get(status_path(batch_id)).json()["batch_id"] == batch_id
        stop(process, log)


def test_workers_leave_the_port_when_their_parent_is_killed(stack: Stack, tmp_path: Path) -> None:
    with api_process(stack, tmp_path, WEB_CONCURRENCY="2") as (process, url, _):
        await_ready(url)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(WAIT_S)
        gone, alive = psutil.wait_procs(workers, timeout=WAIT_S)
        assert (len(gone) > 2, alive) == (True, []), "two workers and what they need"
        socket.create_server(("127.0.0.1", httpx.URL(url).port or 0)).close()


def test_sigterm_ends_it_in_order(stack: Stack, tmp_path: Path) -> None:
    with api_process(stack, tmp_path) as (process, url, log):
        await_ready(url)
        stop(process, log)


def stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == exit_codes.OK, log.read_text()


def test_a_taken_port_is_told(stack: Stack, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with api_process(stack, tmp_path, PORT=port) as (process, _, log):
            assert process.wait(WAIT_S) == exit_codes.CONFIGURATION
            assert "ORC-PORT" in log.read_text()


def test_missing_topics_are_told(stack: Stack, tmp_path: Path) -> None:
    with api_process(stack, tmp_path, TOPIC_PREFIX=f"none-{uuid.uuid4().hex[:8]}") as (process, _, log):
        assert process.wait(WAIT_S) == exit_codes.TOPIC
        assert "bos topics apply" in log.read_text()


def test_a_cluster_that_does_not_answer_is_told(stack: Stack, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with api_process(stack, tmp_path, KAFKA_BOOTSTRAP_SERVERS=address, STARTUP_TIMEOUT_S="1") as (process, _, log):
        assert process.wait(WAIT_S) == exit_codes.BROKER
        assert "ORC-BROKER" in log.read_text()
