"""Selects the Kafka to use: the one that the user names, or a development broker."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from cli.broker.dev_broker import DevBroker
from cli.broker.ready import await_ready
from schemas.errors import BrokerError

BOOTSTRAP_VARIABLE = "BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS"
_REACH_SECONDS = 15.0


class Kafka(Protocol):
    """A Kafka cluster."""

    @property
    def bootstrap_servers(self) -> str:
        """Host and port of every broker, with commas between them."""


@dataclass(frozen=True)
class GivenKafka:
    """A Kafka cluster that the user runs."""

    bootstrap_servers: str


@contextmanager
def kafka_from(variable: str = BOOTSTRAP_VARIABLE, *, settings: Mapping[str, str] | None = None) -> Iterator[Kafka]:
    """Yield the cluster at the address in the environment's `variable`, or else a new development broker.

    `settings` are for the brokers of the latter.

    Raises:
        BrokerError: the given cluster does not answer, or the development broker cannot be started.
    """
    address = os.environ.get(variable, "").strip()
    if not address:
        with DevBroker(settings=settings) as broker:
            yield broker
        return
    if not await_ready(address, seconds=_REACH_SECONDS):
        raise BrokerError(
            f"Kafka at {address} (from {variable}) does not answer.",
            next_step=f"Start it or correct {variable}; without that variable a development broker is started.",
        )
    yield GivenKafka(address)
