"""Orchestrator processes on a real Kafka, with a unique topic prefix for each test."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cli.broker import Kafka
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.settings import Settings
from runtime.settings_loading import variable
from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import Topic
from tests import patience
from tests.patience import await_that
from topology.topics import provisioning

PATIENCE_S = patience.PATIENCE_S
PROGRAM = """
import sys
from runtime.settings_loading import load_settings
from topology.orchestrator.app import run
from topology.stream import clients

settings = load_settings()
{changes}
sys.exit(run(settings))
"""
NO_COMMIT = """
clients.TRANSACTION_TIMEOUT_MS *= 90
settings = settings.model_copy(update={'commit_interval_s': 3600, 'commit_idle_s': 3600})
"""
"""No commit happens during a test, however slow its steps are, and the broker does not end the transaction."""


def await_true(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE_S) -> Any:
    """Return the first true value of `condition`."""
    return await_that(condition, what, seconds)


class Site:
    """Topics with a unique prefix on a cluster, and the orchestrators that use them; a context manager."""

    def __init__(self, kafka: Kafka, directory: Path, **settings: Any) -> None:
        self._directory = directory
        self._given = {
            "kafka_bootstrap_servers": kafka.bootstrap_servers,
            "topic_prefix": f"t{uuid.uuid4().hex[:8]}",
            "topic_partitions": 2,
            "commit_interval_s": 0.05,
            "startup_timeout_s": PATIENCE_S,
            "stop_timeout_s": PATIENCE_S,
            **settings,
        }
        self._given["orchestrator_group"] = f"{self._given['topic_prefix']}-orchestrator"
        self.settings = self.settings_of("0")
        self.table = self.settings.topics()
        self.admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        self.producer = Producer(
            {"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2", "linger.ms": 0}
        )
        self.running: list[Orchestrator] = []

    def settings_of(self, instance: str) -> Settings:
        return Settings(_env_file=None, instance=instance, state_dir=self._directory / instance, **self._given)

    def __enter__(self) -> Self:
        provisioning.apply(self.settings, create_peer_topics=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.running:
            process.kill()
            if error is not None:
                sys.stderr.write(f"--- orchestrator {process.instance}:\n{process.log()}\n")
        # While there is a broker: a client that is destroyed behind its broker can wait for it for ever.
        self.producer.flush(PATIENCE_S)
        del self.admin, self.producer

    def start(self, instance: str = "0", *, beyond: str = "", **changes: Any) -> "Orchestrator":
        """Start a process; `beyond` is code that changes constants which are no settings."""
        process = Orchestrator(self, instance, self._directory, {**self._given, **changes}, beyond)
        self.running.append(process)
        return process

    def put(self, *records: OutgoingRecord) -> list[tuple[int, int]]:
        """Write inbox records; returns partition and offset of each."""
        places: list[tuple[int, int]] = []

        def delivered(error: object, message: Message) -> None:
            assert error is None, error
            places.append((message.partition() or 0, message.offset() or 0))

        for record in records:
            name = self.table.name(record.topic)
            self.producer.produce(name, record.value, record.key, on_delivery=delivered)
        assert self.producer.flush(PATIENCE_S) == 0
        return places

    def read(self, *topics: Topic, isolation: str = "read_committed") -> list[Message]:
        """Return every record that is readable now."""
        return read_topics(self._given["kafka_bootstrap_servers"], [self.table.name(t) for t in topics], isolation)

    def await_records(self, count: int, *topics: Topic) -> list[Message]:
        """Return every readable record as soon as there are `count`.

        Kafka ends a transaction on one partition after the other: what is read on one topic may not be on the next yet.
        """

        def enough() -> list[Message]:
            found = self.read(*topics)
            return found if len(found) >= count else []

        return await_that(enough, f"{count} records can be read on {', '.join(topics)}")

    def committed(self) -> dict[int, int]:
        """Return the group's committed offsets on the inbox, by partition; -1 where nothing is committed."""
        inbox = self.table.name(Topic.INBOX)
        with self._group_offsets() as offsets:
            found = offsets.read((inbox, number) for number in range(self.table.partitions))
        return {number: found.get((inbox, number), -1) for number in range(self.table.partitions)}

    def commit(self, offsets: dict[int, int]) -> None:
        """Set the group's offsets on the inbox by partition, once its members have gone."""
        inbox = self.table.name(Topic.INBOX)
        with self._group_offsets() as group:
            group.commit({(inbox, number): offset for number, offset in offsets.items()})

    def _group_offsets(self) -> CommittedOffsets:
        return CommittedOffsets(self.settings.kafka(), self.settings.orchestrator_group, timeout_s=PATIENCE_S)


class Orchestrator:
    """One process of the orchestrator."""

    def __init__(self, site: Site, instance: str, directory: Path, given: dict[str, Any], beyond: str) -> None:
        self.instance = instance
        self._log = directory / f"{instance}-{len(site.running)}.log"
        values = {**given, "instance": instance, "state_dir": given.get("state_dir", directory / instance)}
        environment = {**os.environ, **{variable(name): str(value) for name, value in values.items()}}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", PROGRAM.format(changes=beyond)],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)

    def ended(self, seconds: float = PATIENCE_S) -> int:
        """Wait for its end; returns the exit code."""
        return self._process.wait(seconds)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text(errors="replace")


def read_topics(servers: str, names: Sequence[str], isolation: str) -> list[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"reader-{uuid.uuid4().hex}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    known = consumer.list_topics(timeout=PATIENCE_S).topics
    left = {(name, number) for name in names for number in known[name].partitions}
    ends = KafkaAdmin({"bootstrap.servers": servers}).log_ends(sorted(left), committed=False)
    consumer.assign([TopicPartition(name, number, 0) for name, number in left])
    found: list[Message] = []
    deadline = time.monotonic() + PATIENCE_S
    while left:
        assert time.monotonic() < deadline, f"no end of {left}"
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            left.discard((message.topic(), message.partition()))
        else:
            found.append(message)
            at = (message.topic(), message.partition())
            if message.offset() + 1 >= ends[at]:  # a topic that is written to all the time never reports its end
                left.discard(at)
    consumer.close()
    return found
