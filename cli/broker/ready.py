"""Waits until a cluster serves its clients."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

_CALL_SECONDS = 1.0
_BETWEEN_SECONDS = 0.05


def await_ready(
    bootstrap_servers: str,
    *,
    seconds: float,
    brokers: int = 1,
    cluster_id: str | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> bool:
    """Request metadata until it lists at least `brokers` brokers, of the cluster `cluster_id` if that is given.

    Returns False after `seconds`, or when `alive` returns False.
    """
    quick = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "log_level": 0}
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, **quick})
    deadline = time.monotonic() + seconds
    while alive() and time.monotonic() < deadline:
        try:
            found = admin.list_topics(timeout=_CALL_SECONDS)
        except KafkaException:
            continue  # not ready; the call itself has waited
        if len(found.brokers) >= brokers and cluster_id in {None, found.cluster_id}:
            return True
        time.sleep(_BETWEEN_SECONDS)
    return False
