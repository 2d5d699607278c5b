"""The whole product on separate brokers, which the tests freeze, stop and kill. Run by `make faults`."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.broker import DevBroker
from cli.supervision.stack import Stack, StackOptions
from tests.faults.product import Product
from tests.faults.traffic import Traffic

StartProduct = Callable[..., Product]

ROUNDS = int(os.environ.get("ROUNDS", "1"))
"""Number of repetitions of each fault."""
KILLS = int(os.environ.get("KILLS", "100"))
"""Number of processes that are killed."""
RATE = float(os.environ.get("RATE", "20"))
"""Registrations per second."""


@pytest.fixture
def start_product(tmp_path: Path) -> Iterator[StartProduct]:
    """Starts brokers, the product on them, and steady traffic; all end with the test."""
    with ExitStack() as running:

        def start(*, brokers: int = 1, rate: float = RATE) -> Product:
            broker = running.enter_context(DevBroker(brokers=brokers))
            options = StackOptions(
                bootstrap_servers=broker.bootstrap_servers,
                directory=tmp_path / "stack",
                settings={"TOPIC_REPLICATION": str(brokers)},
            )
            stack = running.enter_context(Stack(options, on_event=lambda text: print(f"supervisor: {text}")))  # noqa: T201
            traffic = running.enter_context(Traffic(stack.api_urls, rate=rate))
            return Product(broker, stack, traffic)

        yield start
