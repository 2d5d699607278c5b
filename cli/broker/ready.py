"""Waiting until a cluster serves its clients."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

_CALL_SECONDS = 1.0


def await_ready(
    bootstrap_servers: str, *, brokers: int = 1, seconds: float, alive: Callable[[], bool] = lambda: True
) -> bool:
    """Ask for the cluster's metadata until it names at least `brokers` of them.

    Gives up, and returns False, after `seconds` or when `alive` says that there is nothing to wait for.
    """
    quick = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "log_level": 0}
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, **quick})
    deadline = time.monotonic() + seconds
    while alive() and time.monotonic() < deadline:
        try:
            if len(admin.list_topics(timeout=_CALL_SECONDS).brokers) >= brokers:
                return True
        except KafkaException:
            continue  # not yet: the call itself waited
    return False
