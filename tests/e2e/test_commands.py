"""The command line as an operator uses it, against a cluster that is there: topics, run, simulate, batches."""

import json
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from threading import Thread

import httpx

from cli.supervision.ports import free_port
from cli.supervision.stack import health
from runtime.settings import ENV_PREFIX
from state.replay import replay
from tests.corpus.saved import parse, verdict
from tests.e2e.http import BODY
from tests.patience import PATIENCE_S, await_that

BOS = (sys.executable, "-m", "cli.main")
ADDRESS = f"{ENV_PREFIX}KAFKA_BOOTSTRAP_SERVERS"


def bos(environment: dict[str, str], *arguments: str, stdin: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [*BOS, *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_topics_are_planned_applied_and_checked(demo_environment: dict[str, str]) -> None:
    assert "ORC-TOPIC" in bos(demo_environment, "topics", "check", code=1)
    assert "inbox" in bos(demo_environment, "topics", "plan")
    assert "ORC-TOPIC" in bos(demo_environment, "topics", "check", code=1), "plan must change nothing"
    bos(demo_environment, "topics", "apply", "--peer-topics")
    assert "All topics match the table." in bos(demo_environment, "topics", "check")


def test_a_batch_from_the_command_line(demo_environment: dict[str, str], tmp_path: Path) -> None:
    # Settings that come from files, and a projection that the user chose, hold for every process of `bos run`.
    address = tmp_path / "address"
    address.write_text(demo_environment.pop(ADDRESS))
    projection = tmp_path / "own.db"
    demo_environment |= {f"{ADDRESS}_FILE": str(address), f"{ENV_PREFIX}PROJECTION_URL": f"sqlite:///{projection}"}
    bos(demo_environment, "topics", "apply", "--peer-topics")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*BOS, "run", "--port", str(port), "--directory", str(tmp_path / "run")]
    with subprocess.Popen(command, env=demo_environment, stdout=subprocess.DEVNULL) as product:
        try:
            await_that(lambda: health(url).startswith("200"), "the product is healthy")
            simulate = [*BOS, "simulate", "--batches", "1", "--latency", "0.1", "0.3"]
            with subprocess.Popen(
                simulate, env=demo_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as peers:
                assert peers.stderr is not None
                assert "Playing the seed peers" in peers.stderr.readline()
                answer = json.loads(
                    bos(demo_environment, "batches", "register", "-", "--url", url, stdin=json.dumps(BODY))
                )
                watch = ["batches", "watch", answer["batch_id"], "--url", url, "-o", "table"]
                lines = bos(demo_environment, *watch).splitlines()
                report, _ = peers.communicate(timeout=PATIENCE_S)
                assert peers.returncode == 0, report
            assert lines[-1].startswith("completed_successfully: spellcheck completed_successfully, cj_assessment")
            status = json.loads(bos(demo_environment, "batches", "get", answer["batch_id"], "--url", url))
            assert status["status"] == "completed_successfully"
            replayed = bos(demo_environment, "batches", "replay", answer["batch_id"], "--url", url)
            assert replayed.splitlines()[-1] == "replayed 4 records, state identical, chain whole"
            check_explained(url, answer["batch_id"], status["version"])
            shown = ["batches", "history", answer["batch_id"], "--url", url]
            await_that(lambda: len(bos(demo_environment, *shown).splitlines()) == 5, "the history is projected")
            assert projection.exists()
            assert "ORC-" in bos(demo_environment, "batches", "get", "nobody", "--url", url, code=3)
        finally:
            product.send_signal(signal.SIGTERM)
            assert product.wait(PATIENCE_S) == 0


def check_explained(url: str, batch_id: str, version: int) -> None:
    """The records of a real cluster give the batch as it was, the same decisions, and a test of them."""
    with httpx.Client(base_url=f"{url}/v1/batches/{batch_id}", timeout=PATIENCE_S) as client:
        saved = client.get("/fixture")
        found = parse(saved.content)
        assert found.head.records == 4
        assert verdict(replay(found.events())) == []
        first = found.events()[0].position
        assert client.get("", params={"at": first}).json()["status"] == "awaiting_content_validation"
        changes = client.get("/diff", params={"from": first, "to": version}).json()["changes"]
        assert {"path": "status", "before": "awaiting_content_validation", "after": "completed_successfully"} in changes
        decision = client.get(f"/decisions/{version}").json()
        assert (decision["event"], decision["next"], decision["differences"]) == ("phase_concluded", None, [])
        file = files("state.pipelines").joinpath("default.toml").read_bytes()
        same = client.post("/what-if", content=file, headers={"Content-Type": "text/plain"}).json()
        assert same["sentence"] == "All 4 records are decided the same."


def test_a_command_without_an_api_says_what_to_do(demo_environment: dict[str, str]) -> None:
    said = bos(demo_environment, "batches", "get", "x", "--url", f"http://127.0.0.1:{free_port()}", code=6)
    assert "ORC-HTTP" in said
    assert "bos dev" in said


def test_a_body_that_is_not_there_is_told(demo_environment: dict[str, str]) -> None:
    said = bos(demo_environment, "batches", "register", "nofile.json", code=2)
    assert said.startswith("bos: ORC-HTTP: nofile.json cannot be read")
    assert "Next step" in said


def test_an_answer_of_something_else_is_told(demo_environment: dict[str, str]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # 501 and a page of HTML
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        said = bos(demo_environment, "batches", "get", "x", "--url", f"http://127.0.0.1:{server.server_port}", code=6)
        server.shutdown()
    assert "no JSON" in said
    assert "--url" in said


def test_peers_without_topics_say_what_to_do(demo_environment: dict[str, str]) -> None:
    said = bos(demo_environment, "simulate", code=1)
    assert said.startswith("bos: ORC-BROKER: The peers cannot run")
    assert f"{ADDRESS}; `bos dev` prints it" in said


def test_the_version_is_told(demo_environment: dict[str, str]) -> None:
    assert bos(demo_environment, "--version").strip() == f"bos {version('batch-orchestrator')}"


def test_a_projector_without_its_database_leaves_the_others_running(
    demo_environment: dict[str, str], tmp_path: Path
) -> None:
    bos(demo_environment, "topics", "apply", "--peer-topics")
    refused = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"
    demo_environment |= {f"{ENV_PREFIX}PROJECTION_URL": refused, f"{ENV_PREFIX}ROUTER_START": "earliest"}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*BOS, "run", "--port", str(port), "--directory", str(tmp_path / "run")]
    with subprocess.Popen(command, env=demo_environment, stdout=subprocess.DEVNULL) as product:
        try:
            await_that(lambda: health(url).startswith("503"), "the api tells that it is unwell")
            await_that(lambda: "projector" in health(url), "it says what is missing")
            assert product.poll() is None
        finally:
            product.send_signal(signal.SIGTERM)
            assert product.wait(PATIENCE_S) == 0
