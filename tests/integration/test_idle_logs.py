"""A process that has nothing to do writes next to nothing into its log."""

import json
import re
import time
import uuid
from collections import Counter
from pathlib import Path

from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from tests.patience import PATIENCE_S

WINDOW_S = 8.0
TIMES_PER_SECOND = 0.5
"""The same event every second, or more, is what must not be; what happens once in a while is allowed."""
PROCESSES = ("router", "orchestrator-0", "projector", "timekeeper", "api-0")


def event_of(line: str) -> str:
    """Return the event that a line tells of, or a line that is no JSON without its numbers."""
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return re.sub(r"\d+", "", line)


def test_an_idle_process_does_not_log_every_second(kafka: Kafka, tmp_path: Path) -> None:
    prefix = f"idle-{uuid.uuid4().hex[:8]}"
    options = StackOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        directory=tmp_path,
        settings={
            "LOG_LEVEL": "INFO",
            "TOPIC_PREFIX": prefix,
            "ORCHESTRATOR_GROUP": prefix,
            "ROUTER_GROUP": f"{prefix}-router",
            "PROJECTOR_GROUP": f"{prefix}-projector",
            "TIMEKEEPER_GROUP": f"{prefix}-timekeeper",
            "STARTUP_TIMEOUT_S": str(PATIENCE_S),
        },
    )
    with Stack(options) as stack:
        stack.await_ready(PATIENCE_S)
        logs = {name: stack.supervisor.log_path(name) for name in PROCESSES}
        before = {name: len(log.read_bytes()) for name, log in logs.items()}
        began = time.monotonic()
        time.sleep(WINDOW_S)  # the subject is a rate: what is written while nothing happens
        new = {name: log.read_bytes()[before[name] :].decode().splitlines() for name, log in logs.items()}
        elapsed = time.monotonic() - began
    # One that was started again meanwhile, on a busy machine, was not idle.
    idle = [name for name in PROCESSES if stack.supervisor.restarts[name] == 0]
    repeated = {name: Counter(map(event_of, new[name])).most_common(1) for name in idle}
    talkative = {name: most for name, most in repeated.items() if most and most[0][1] > elapsed * TIMES_PER_SECOND}
    assert idle
    assert talkative == {}
