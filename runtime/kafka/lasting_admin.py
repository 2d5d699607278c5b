"""An admin client that outlives its connections: where it hears nothing any more, a new one takes its place."""

import time
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

from confluent_kafka.admin import AdminClient

from runtime.kafka.client_watch import ASK_EVERY_S, heard
from runtime.kafka.clients import client_properties
from runtime.logs import get_logger


class LastingAdmin:
    """Has every method of `AdminClient`, and calls it on a client that a broker has answered within `silence_s`.

    `topic` is one to ask about. A call under way while the client is replaced fails or succeeds as it would have.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        *,
        silence_s: float,
        make: Callable[[dict[str, Any]], Any] = AdminClient,
    ) -> None:
        self._kafka = client_properties(kafka)
        self._topic = topic
        self._silence_s = silence_s
        self._make = make
        self._client = make(self._kafka)
        self._previous: Any = None
        """Kept until the next one is replaced: a client that is collected in a callback of its own ends the process."""
        self._stopping = Event()
        self._thread = Thread(target=self._watch, name="admin-watch", daemon=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more, without waiting for an answer that is under way."""
        self._stopping.set()

    def _watch(self) -> None:
        heard_at = time.monotonic()
        while not self._stopping.wait(ASK_EVERY_S):
            self._client.poll(0)  # its log lines and errors wait for that
            if heard(self._client, topic=self._topic):
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self._silence_s:
                get_logger(__name__).warning("client_replaced", client="admin", silent_s=round(self._silence_s, 1))
                self._previous, self._client = self._client, self._make(self._kafka)
                heard_at = time.monotonic()
