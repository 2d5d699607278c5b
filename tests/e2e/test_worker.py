"""examples/worker.py, as it is in the documentation, does a phase that exists by configuration alone."""

import subprocess
import sys
import time
from pathlib import Path

from peers.options import PeerOptions
from peers.playing import Peers
from tests.e2e.conftest import StartStack
from tests.e2e.http import BODY, register, status_of
from tests.patience import PATIENCE_S

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_worker_of_twenty_lines_does_a_phase(start_stack: StartStack) -> None:
    stack = start_stack(settings={"PIPELINES_FILE": str(EXAMPLES / "pipelines.toml")})
    settings = stack.settings
    command = [sys.executable, str(EXAMPLES / "worker.py"), settings.kafka_bootstrap_servers, settings.topic_prefix]
    peers = Peers(PeerOptions(topic_prefix=settings.topic_prefix, judges_ends=False), settings.kafka_bootstrap_servers)
    with peers, subprocess.Popen(command) as worker:
        try:
            body = {**BODY, "pipeline": "wordcount"}
            batch_id = register(stack.api_url, "worker-1", body)["batch_id"]
            deadline = time.monotonic() + PATIENCE_S
            while (status := status_of(stack.api_url, batch_id))["ended_at"] is None:
                assert worker.poll() is None, "the worker has ended"
                assert time.monotonic() < deadline, status
                time.sleep(0.2)
        finally:
            worker.kill()
    assert status["status"] == "completed_successfully"
    assert status["pipeline"] == {"name": "wordcount", "version": 1}
    assert status["counts"]["succeeded"] == BODY["expected_essay_count"]
    assert peers.report().complaints == ()


def test_the_worker_has_at_most_twenty_lines() -> None:
    source = (EXAMPLES / "worker.py").read_text().partition('"""\n')[2]
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
