"""`bos run` without a cluster: it goes on, and obeys a signal while nothing has started yet."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cli.supervision.ports import free_port
from runtime.settings import ENV_PREFIX
from tests.patience import PATIENCE_S, await_that


def test_a_signal_during_the_start_stops_everything(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    environment[f"{ENV_PREFIX}KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    command = [sys.executable, "-m", "cli.main", "run", "--port", str(free_port()), "--directory", str(tmp_path)]
    output = tmp_path / "output"
    with output.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as product:
        try:
            await_that(lambda: "starting it again" in output.read_text(), "a process has ended for want of Kafka")
            assert product.poll() is None
        finally:
            product.send_signal(signal.SIGTERM)
            assert product.wait(PATIENCE_S) == 0
