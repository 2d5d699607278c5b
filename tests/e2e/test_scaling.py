"""Orchestrators share the partitions; they come and go under load, and nothing is lost or done twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import TracebackType
from typing import Self

from cli.broker import Kafka
from cli.supervision.stack import Stack
from cli.verifier import verify
from peers import PeerOptions, Peers
from runtime.kafka.admin import KafkaAdmin
from schemas.topics import Topic
from tests.e2e.conftest import StartStack
from tests.e2e.http import call, register
from tests.patience import PATIENCE_S, await_that

CLIENTS = 4
PAUSE_S = 0.1
"""Between a client's registrations, so that the played peers keep up."""
LAST_BATCHES = 20
"""Registered after the third orchestrator has left."""


def readiness(stack: Stack, name: str) -> dict[str, object]:
    try:
        _, report = call("GET", f"http://127.0.0.1:{stack.metrics_ports[name]}/readyz")
    except OSError:
        return {}
    return report


class Traffic:
    """Clients that register batch after batch until they are told to end; a context manager."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._admin = KafkaAdmin(stack.settings.kafka())
        self._ending = threading.Event()
        self._clients = ThreadPoolExecutor(CLIENTS)
        self.registered: set[str] = set()

    def __enter__(self) -> Self:
        self._calls = [self._clients.submit(self._client, number) for number in range(CLIENTS)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._clients.shutdown()

    def end(self) -> None:
        """End it; raises what a client has met."""
        self._ending.set()
        for made in self._calls:
            made.result()

    def _client(self, number: int) -> None:
        for turn in count():
            if self._ending.wait(PAUSE_S):
                return
            self.registered.add(register(self._stack.api_url, f"scaling-{number}-{turn}")["batch_id"])

    def await_on_every_partition(self) -> None:
        """Return when each partition of the inbox has carried a record that is written after this call."""
        before = self._ends()
        await_that(
            lambda: all(end > before[number] for number, end in self._ends().items()) or self._failed(),
            "every partition carries traffic",
        )

    def await_registered(self, more: int) -> None:
        """Return when so many batches more are registered."""
        wanted = len(self.registered) + more
        await_that(lambda: len(self.registered) >= wanted or self._failed(), f"{more} batches more are registered")

    def _failed(self) -> bool:
        return any(made.done() for made in self._calls)

    def _ends(self) -> dict[int, int]:
        settings = self._stack.settings
        inbox = settings.topics().name(Topic.INBOX)
        places = [(inbox, number) for number in range(settings.topic_partitions)]
        return {number: end for (_, number), end in self._admin.log_ends(places, committed=False).items()}


def test_a_third_orchestrator_joins_and_leaves_under_load(kafka: Kafka, start_stack: StartStack) -> None:
    stack = start_stack(orchestrators=2)
    options = PeerOptions(topic_prefix=stack.settings.topic_prefix, latency=(0.2, 1.0), repeat_rate=0.2)
    with Peers(options, kafka.bootstrap_servers) as peers, Traffic(stack) as traffic:
        traffic.await_on_every_partition()
        stack.supervisor.add(stack.orchestrator_spec(2))
        await_that(lambda: readiness(stack, "orchestrator-2").get("partitions"), "the third has partitions of its own")
        traffic.await_on_every_partition()
        stack.supervisor.leave("orchestrator-2")
        traffic.await_on_every_partition()
        traffic.await_registered(LAST_BATCHES)
        traffic.end()
        batches = len(traffic.registered)
        assert peers.wait_completed(batches, timeout=PATIENCE_S), peers.report().counts
        assert peers.report().complaints == ()
    settings = stack.settings
    findings = verify(settings.kafka(), settings.topics(), patience=PATIENCE_S)
    assert findings.problems == []
    assert findings.batches == batches
