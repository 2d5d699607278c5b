"""The demo's fault: SIGKILL while a transaction with a command in it is open."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from cli.verifier import read_topic
from runtime.kafka.admin import KafkaAdmin
from schemas.topics import PHASE_COMMANDS, TopicTable

_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 60.0
_MOST_KILLS = 5


class KillInOpenTransaction:
    """Watches the command topics, uncommitted records included, and calls `kill` at the first command after `arm`.

    A commit can win the race against the kill: then the next command gets its turn, up to five times. `aborted` tells
    afterwards whether a kill hit.
    """

    def __init__(self, kafka: Mapping[str, Any], topics: TopicTable, kill: Callable[[], object]) -> None:
        self._kafka = {**kafka, "group.id": "batch-orchestrator-demo-fault", "enable.auto.commit": False}
        self._names = [topics.name(topic) for topic in PHASE_COMMANDS.values()]
        self._cluster = KafkaAdmin(kafka)
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
        every = read_topic(self._kafka, *self._names, isolation="read_uncommitted")
        aborted.update(record.headers["event_id"] for record in every)
        aborted.subtract(record.headers["event_id"] for record in read_topic(self._kafka, *self._names))
        return sum(times for times in aborted.values() if times > 0)

    def _watch(self) -> None:
        consumer = Consumer({**self._kafka, "isolation.level": "read_uncommitted", "fetch.wait.max.ms": 5})
        try:
            known = consumer.list_topics(timeout=_TIMEOUT_SECONDS).topics
            places = [TopicPartition(name, n) for name in self._names for n in known[name].partitions]
            for place in places:
                _, place.offset = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_SECONDS)
            consumer.assign(places)
            self._watching.set()
            while not self._stop.is_set() and self.kills < _MOST_KILLS:
                message = consumer.poll(_POLL_SECONDS)
                if message is not None and message.error() is None:
                    self._kill()
                    self.kills += 1
                    if not self._committed(message):
                        return
        finally:
            consumer.close()

    def _committed(self, message: Message) -> bool:
        """Return, once it is settled, whether the record was committed after all."""
        place = (message.topic(), message.partition())
        while self._cluster.log_ends([place], committed=True)[place] <= message.offset():
            if self._stop.wait(_POLL_SECONDS):
                return False
        reader = Consumer({**self._kafka, "isolation.level": "read_committed", "enable.partition.eof": True})
        try:
            reader.assign([TopicPartition(*place, message.offset())])
            found = reader.poll(_TIMEOUT_SECONDS)
            return found is not None and found.error() is None and found.offset() == message.offset()
        finally:
            reader.close()
