"""The command line as an operator uses it, against a cluster that is there: topics, run, simulate, batches."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from cli.stack import free_port, health
from tests.e2e.http import BODY
from tests.integration.processes import await_that

BOS = (sys.executable, "-m", "cli.main")
STOP_SECONDS = 20.0


def bos(environment: dict[str, str], *arguments: str, stdin: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [*BOS, *arguments], env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_topics_are_planned_applied_and_checked(demo_environment: dict[str, str]) -> None:
    assert "ORC-TOPIC" in bos(demo_environment, "topics", "check", code=1)
    assert "inbox" in bos(demo_environment, "topics", "plan")
    assert "ORC-TOPIC" in bos(demo_environment, "topics", "check", code=1), "plan must change nothing"
    bos(demo_environment, "topics", "apply", "--peer-topics")
    assert "All topics are as they must be." in bos(demo_environment, "topics", "check")


def test_a_batch_from_the_command_line(demo_environment: dict[str, str], tmp_path: Path) -> None:
    bos(demo_environment, "topics", "apply", "--peer-topics")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*BOS, "run", "--port", str(port), "--directory", str(tmp_path / "run")]
    with subprocess.Popen(command, env=demo_environment, stdout=subprocess.DEVNULL) as product:
        try:
            await_that(lambda: health(url).startswith("200"), "the product is healthy", 60)
            simulate = [*BOS, "simulate", "--batches", "1", "--latency", "0.1", "0.3"]
            with subprocess.Popen(
                simulate, env=demo_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as peers:
                assert peers.stderr is not None
                assert "Playing the seed peers" in peers.stderr.readline()
                answer = json.loads(
                    bos(demo_environment, "batches", "register", "-", "--url", url, stdin=json.dumps(BODY))
                )
                lines = bos(demo_environment, "batches", "watch", answer["batch_id"], "--url", url).splitlines()
                report, _ = peers.communicate(timeout=30)
                assert peers.returncode == 0, report
            assert lines[-1].startswith("completed_successfully: spellcheck completed_successfully, cj_assessment")
            status = json.loads(bos(demo_environment, "batches", "get", answer["batch_id"], "--url", url))
            assert status["status"] == "completed_successfully"
            assert "ORC-" in bos(demo_environment, "batches", "get", "nobody", "--url", url, code=1)
        finally:
            product.send_signal(signal.SIGTERM)
            assert product.wait(STOP_SECONDS) == 0


def test_a_command_without_an_api_says_what_to_do(demo_environment: dict[str, str]) -> None:
    said = bos(demo_environment, "batches", "get", "x", "--url", f"http://127.0.0.1:{free_port()}", code=1)
    assert "ORC-HTTP" in said
    assert "bos dev" in said
