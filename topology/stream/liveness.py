"""Liveness of a stream application: its processing loop turns, and its clients get answers from Kafka."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from runtime.health import STATISTICS_INTERVAL_MS
from runtime.kafka.client_watch import ClientWatch, Connections
from runtime.watchdog import Watchdog
from schemas.errors import LivenessError, OrchestratorError
from topology.stream.exit import end_lifeless

START_S = 45.0
"""Seconds until the first turn of the loop: a transaction that a dead process left open is ended before it."""
ASSIGNMENT_S = 90.0
"""Seconds that an assignment may take. Each of its steps is a request with its own timeout."""
FENCE_S = 30.0
"""Seconds that the proof of another live process with the same name may take."""
_LOOP, _CONSUMER, _PRODUCER = "loop", "consumer", "producer"
_NEXT_STEP = "None: a supervisor starts the process again. If it repeats, check the brokers and the network."


class StreamLiveness:
    """Watches one stream application during `watching`; ends the process if it no longer does its work.

    `consumer` and `producer` return the library's clients, or None before they exist. `on_statistics` must receive the
    consumer's statistics, and `turned` must be called at every turn of the loop.
    """

    def __init__(
        self,
        consumer: Callable[[], Any],
        producer: Callable[[], Any],
        *,
        bound_s: float,
        end: Callable[[OrchestratorError], None] = end_lifeless,
    ) -> None:
        self._bound_s = bound_s
        self._watchdog = Watchdog(end)
        connections = Connections()
        self.on_statistics = connections.on_statistics
        self._clients = {
            _CONSUMER: ClientWatch(consumer, lambda: self._watchdog.seen(_CONSUMER), connections=connections),
            _PRODUCER: ClientWatch(producer, lambda: self._watchdog.seen(_PRODUCER)),
        }
        self._turns = False

    def properties(self, consumer: Mapping[str, Any]) -> dict[str, Any]:
        """Return a consumer's properties in which this receives the statistics, with the callback given before."""
        previous = consumer.get("stats_cb")

        def on_statistics(statistics: str) -> None:
            self.on_statistics(statistics)
            if previous is not None:
                previous(statistics)

        return {"statistics.interval.ms": STATISTICS_INTERVAL_MS, **consumer, "stats_cb": on_statistics}

    def turned(self) -> None:
        """Note a turn of the processing loop."""
        if not self._turns:
            self._turns = True
            self._watchdog.expect(_LOOP, bound_s=self._bound_s, error=_hangs)
        self._watchdog.seen(_LOOP)

    def allow(self, seconds: float) -> AbstractContextManager[None]:
        """Allow the loop at least `seconds` for the work inside."""
        return self._watchdog.allow(_LOOP, seconds)

    @contextmanager
    def watching(self, topic: str) -> Iterator[None]:
        """Watch while the context lasts. `topic` is requested from Kafka while no topic is read."""
        self._watchdog.expect(_LOOP, bound_s=max(START_S, self._bound_s), error=_hangs)
        with self._watchdog:
            for name, client in self._clients.items():
                self._watchdog.expect(name, bound_s=self._bound_s, error=_unanswered(name))
                client.start(topic)
            yield

    def stop_asking(self) -> None:
        """Stop the requests on the clients before they are closed. The loop is still watched: a close can hang."""
        for name, client in self._clients.items():
            self._watchdog.forget(name)
            client.stop()


def _hangs(seconds: float) -> LivenessError:
    return LivenessError(
        f"The processing loop has not turned for {seconds:.0f} s: it hangs in a call, see the traceback above.",
        next_step=_NEXT_STEP,
    )


def _unanswered(client: str) -> Callable[[float], LivenessError]:
    def error(seconds: float) -> LivenessError:
        return LivenessError(f"The {client} has had no answer from Kafka for {seconds:.0f} s.", next_step=_NEXT_STEP)

    return error
