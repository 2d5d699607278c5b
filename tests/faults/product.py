"""Brokers, the product and traffic, and what must hold of them after a fault."""

import time
from collections import Counter
from dataclasses import dataclass

from cli.broker import DevBroker
from cli.supervision.stack import Stack
from cli.verifier import read_topic, verify
from schemas.topics import Topic
from tests.faults.traffic import Traffic

SERVED_WITHIN_S = 30.0
_SETTLE_S = 60.0


@dataclass(frozen=True)
class Product:
    """The objects that a test uses."""

    broker: DevBroker
    stack: Stack
    traffic: Traffic

    def freeze(self, seconds: float) -> None:
        """Freeze every broker by SIGSTOP for so many seconds."""
        self.broker.pause()
        time.sleep(seconds)
        self.broker.resume()

    def served_again(self, fault: str, within_s: float = SERVED_WITHIN_S) -> float:
        """Return and print the seconds from now until the product serves again. Fails after `within_s`."""
        seconds = self.traffic.served_after(time.monotonic(), within_s=within_s)
        print(f"{fault}: served again after {seconds:.1f} s; restarts {self.stack.supervisor.restarts}")  # noqa: T201
        return seconds

    def nothing_lost(self) -> int:
        """End the traffic and compare the topics with the answers; returns the number of accepted registrations."""
        self.traffic.stop()
        settings = self.stack.settings
        findings = verify(settings.kafka(), settings.topics(), patience=_SETTLE_S)
        assert findings.problems == []
        registered = Counter(
            record.value["batch_id"]
            for record in read_topic(settings.kafka(), settings.topics().name(Topic.HISTORY))
            if record.value["disposition"] == "applied"
        )
        accepted = self.traffic.accepted
        assert len(accepted) > 0
        assert len(set(accepted.values())) == len(accepted), "two keys got the same batch"
        lost = [key for key, batch_id in accepted.items() if registered[batch_id] == 0]
        assert lost == []
        doubled = [batch_id for batch_id, times in registered.items() if times > 1]
        assert doubled == []
        print(f"{len(accepted)} registrations accepted, {findings.batches} batches")  # noqa: T201
        return len(accepted)
