"""One admin client for each cluster, shared by all threads of the process and replaced when it gets no answers."""

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

from confluent_kafka.admin import AdminClient

REQUEST_TIMEOUT_S = 6.0
"""Seconds that one request to the cluster may take: a client that gets no answer by then may never get one."""


class SharedClient:
    """The admin client of one cluster.

    A client must not be garbage-collected while librdkafka may call it back: if Python's collector frees it inside a
    callback of librdkafka's own thread, the process crashes (confluent-kafka-python, pull request 2129). A replaced
    client is therefore kept until the next replacement. The client logs nothing, because every failure is raised.
    """

    def __init__(self, properties: dict[str, Any]) -> None:
        self._properties = properties
        self._lock = Lock()
        self._renewed_at = time.monotonic()
        self._previous: AdminClient | None = None
        self.client = AdminClient(properties)

    def renew(self) -> None:
        """Replace the client, at most once in `REQUEST_TIMEOUT_S`, however many callers ask."""
        with self._lock:
            now = time.monotonic()
            if now - self._renewed_at >= REQUEST_TIMEOUT_S:
                self._previous, self.client = self.client, AdminClient(self._properties)
                self._renewed_at = now


_clients: dict[str, SharedClient] = {}


def shared_client(kafka: Mapping[str, Any]) -> SharedClient:
    """Return the client of the cluster that the properties `kafka` connect to; made at the first call."""
    properties = {"log_level": 0, **kafka, "client.id": "batch-orchestrator-admin"}
    cluster = repr(sorted(kafka.items()))
    if cluster not in _clients:
        _clients[cluster] = SharedClient(properties)
    return _clients[cluster]
