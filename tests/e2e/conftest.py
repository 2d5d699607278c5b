"""The whole product on a real Kafka, with unique topics for each test."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli import verifier
from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from runtime.settings import ENV_PREFIX
from tests.patience import PATIENCE_S

verifier._TIMEOUT_SECONDS = PATIENCE_S  # no reading of a topic is given up because the machine is busy
StartStack = Callable[..., Stack]
PATIENT = {
    name: str(PATIENCE_S)
    for name in (
        *("STARTUP_TIMEOUT_S", "STOP_TIMEOUT_S"),
        *("RESPONSE_TIMEOUT_S", "WRITE_TIMEOUT_S", "PROJECTION_TIMEOUT_S"),
    )
}
"""No process gives up because the machine is busy."""


def own_names() -> dict[str, str]:
    """Return a unique topic prefix and unique groups."""
    name = f"e{uuid4().hex[:10]}"
    return {
        "TOPIC_PREFIX": name,
        "ORCHESTRATOR_GROUP": f"{name}-orchestrator",
        "ROUTER_GROUP": f"{name}-router",
        "PROJECTOR_GROUP": f"{name}-projector",
        "TIMEKEEPER_GROUP": f"{name}-timekeeper",
    }


@pytest.fixture
def start_stack(kafka: Kafka, tmp_path: Path) -> Iterator[StartStack]:
    """Starts a stack with the given options; it ends with the test."""
    with ExitStack() as stacks:

        def start(*, settings: dict[str, str] | None = None, **options: Any) -> Stack:
            chosen = StackOptions(
                bootstrap_servers=kafka.bootstrap_servers,
                directory=tmp_path / "stack",
                settings={**own_names(), **PATIENT, **(settings or {})},
                **options,
            )
            return stacks.enter_context(Stack(chosen))

        yield start


@pytest.fixture
def demo_environment(kafka: Kafka) -> dict[str, str]:
    """Environment of a `bos demo` on this session's Kafka, under topics of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    own = {ENV_PREFIX + name: value for name, value in {**own_names(), **PATIENT}.items()}
    return {**inherited, **own, f"{ENV_PREFIX}KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
