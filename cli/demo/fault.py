"""The demo's fault: SIGKILL while a transaction with a command in it is open."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from cli.verifier import read_topic
from schemas.topics import PHASE_COMMANDS, TopicTable

_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 15.0


class KillInOpenTransaction:
    """Watches the command topics, uncommitted records included, and calls `kill` at the first command after `arm`.

    A commit can win the race against the kill, so `aborted` tells afterwards whether the fault was one.
    """

    def __init__(self, kafka: Mapping[str, Any], topics: TopicTable, kill: Callable[[], object]) -> None:
        self._kafka = dict(kafka)
        self._names = [topics.name(topic) for topic in PHASE_COMMANDS.values()]
        self._kill = kill
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fault", daemon=True)
        self.kills = 0
        """How often it killed."""

    def arm(self) -> None:
        """Start watching, and return once it sees every new command."""
        self._thread.start()
        self._watching.wait(_TIMEOUT_SECONDS)

    def disarm(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def aborted(self) -> int:
        """Return how many commands lie on the topics uncommitted for good."""
        aborted: Counter[str] = Counter()
        for name in self._names:
            aborted.update(r.headers["event_id"] for r in read_topic(self._kafka, name, isolation="read_uncommitted"))
            aborted.subtract(r.headers["event_id"] for r in read_topic(self._kafka, name))
        return sum(times for times in aborted.values() if times > 0)

    def _watch(self) -> None:
        consumer = Consumer(
            {
                **self._kafka,
                "group.id": "batch-orchestrator-demo-fault",
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 5,
            }
        )
        try:
            known = consumer.list_topics(timeout=_TIMEOUT_SECONDS).topics
            places = [TopicPartition(name, n) for name in self._names for n in known[name].partitions]
            for place in places:
                _, place.offset = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_SECONDS)
            consumer.assign(places)
            self._watching.set()
            while not self._stop.is_set():
                message = consumer.poll(_POLL_SECONDS)
                if message is not None and message.error() is None:
                    self._kill()
                    self.kills += 1
                    return
        finally:
            consumer.close()
