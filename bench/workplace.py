"""The workplace of a section: topics under their own prefix, and processes that end with it."""

import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from cli.broker import DevBroker, Kafka
from cli.supervision.owned_process import OwnedProcess
from runtime.kafka.admin import KafkaAdmin
from runtime.kafka.committed_offsets import CommittedOffsets
from runtime.metric_names import ASSIGNED, ASSIGNED_PARTITIONS, PREFIX, RESTORED
from runtime.settings import ENV_PREFIX, Settings
from schemas.topics import PEER_INPUTS, PEER_OUTPUTS, ROUTER_INPUTS, Topic
from topology.topics import provisioning

_TIMEOUT_S = 15.0
_ROLES = ("ROUTER", "ORCHESTRATOR", "PROJECTOR", "TIMEKEEPER")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_GRACE_S = 15.0


class ProcessEnded(Exception):
    """A measured process has ended before its work was done."""


class Workplace:
    """Topics under one prefix on one cluster. `close` deletes them."""

    def __init__(self, kafka: Kafka, directory: Path, prefix: str) -> None:
        self._kafka = kafka
        self.prefix = prefix
        """Prefix of all topics of this benchmark."""
        self.directory = directory / prefix
        self.directory.mkdir(parents=True)

    @property
    def own_names(self) -> dict[str, str]:
        """Settings that keep the processes here apart from others on the cluster: topics and consumer groups."""
        return {"TOPIC_PREFIX": self.prefix} | {f"{role}_GROUP": f"{self.prefix}-{role.lower()}" for role in _ROLES}

    def shared(self, **names: str) -> dict[str, str]:
        """Return settings by their names, `names` on top of what all processes here share."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "ROUTER_START": "earliest",
            **self.own_names,
            **names,
        }

    def settings(self, **names: str) -> Settings:
        """Return the settings that a process with `names` has."""
        return Settings.model_validate({name.lower(): value for name, value in self.shared(**names).items()})

    def provision(self, settings: Settings) -> None:
        """Create the topics of `settings` that are missing."""
        provisioning.apply(settings, create_peer_topics=True)

    def stamp_appends(self, settings: Settings) -> None:
        """Let the broker stamp the records of peers' topics when it appends them: hops are told by these times."""
        topics = settings.topics()
        admin = AdminClient({"bootstrap.servers": self._kafka.bootstrap_servers})
        wanted = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        resources = [
            ConfigResource(ResourceType.TOPIC, topics.name(topic), incremental_configs=[wanted])
            for topic in (*PEER_INPUTS, *PEER_OUTPUTS)
        ]
        for future in admin.incremental_alter_configs(resources).values():
            future.result(_TIMEOUT_S)

    @contextmanager
    def process(self, name: str, command: Sequence[str], names: Mapping[str, str]) -> Iterator[OwnedProcess]:
        """Run `python COMMAND` with these settings while the context lasts."""
        environment = {ENV_PREFIX + key: value for key, value in self.shared(**names).items()}
        process = OwnedProcess(
            [sys.executable, *command],
            log_path=self.directory / f"{name}.log",
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            grace=_GRACE_S,
        )
        try:
            yield process
        finally:
            process.stop()

    def check(self, name: str, process: OwnedProcess) -> None:
        """Raise `ProcessEnded`, with the end of its log, if a process does not run."""
        if not process.running:
            log = (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            raise ProcessEnded(f"{name} ended with {process.wait(0)}:\n{log[-3000:]}")

    def broker_pids(self) -> dict[str, int]:
        """Return the broker's process if it is a development broker."""
        return {"broker": self._kafka.nodes[0].pid} if isinstance(self._kafka, DevBroker) else {}

    def broker_data(self) -> Path | None:
        """Return the directory of the broker's logs if it is a development broker."""
        return self._kafka.nodes[0].directory / "data" if isinstance(self._kafka, DevBroker) else None

    def close(self) -> None:
        """Delete everything under the prefix."""
        admin = AdminClient({"bootstrap.servers": self._kafka.bootstrap_servers})
        found = admin.list_topics(timeout=_TIMEOUT_S).topics
        mine = [name for name in found if self.prefix in name.replace("--", ".").split(".")]
        for future in admin.delete_topics(mine).values():
            future.result(_TIMEOUT_S)


class GroupOffsets:
    """The number of inbox records that a group has processed; exact, because the inbox has no control records."""

    def __init__(self, settings: Settings) -> None:
        inbox = settings.topics().name(Topic.INBOX)
        self._partitions = [(inbox, number) for number in range(settings.topic_partitions)]
        # With read_committed the broker would delay the request until an open transaction ends.
        kafka = {**settings.kafka(), "isolation.level": "read_uncommitted"}
        self._committed = CommittedOffsets(kafka, settings.orchestrator_group, timeout_s=_TIMEOUT_S)

    def __call__(self) -> int:
        """Return the number of records up to the committed offsets."""
        return sum(self.by_partition().values())

    def by_partition(self) -> dict[int, int]:
        """Return the committed offset of each partition that has one."""
        return {number: offset for (_, number), offset in self._committed.read(self._partitions).items()}

    def close(self) -> None:
        """Close the connection."""
        self._committed.close()


class InboxEnd:
    """The number of inbox records written since this object was created."""

    def __init__(self, settings: Settings) -> None:
        inbox = settings.topics().name(Topic.INBOX)
        self._cluster = KafkaAdmin(settings.kafka())
        self._partitions = [(inbox, number) for number in range(settings.topic_partitions)]
        self._first = 0
        self._first = self()

    def __call__(self) -> int:
        """Return the number of new records."""
        return sum(self._cluster.log_ends(self._partitions, committed=False).values()) - self._first

    def close(self) -> None:
        """Do nothing: no connection is kept open."""


def metric(port: int, name: str) -> float | None:
    """Return a metric of a process by its full name; None if the process does not answer or has none of the name."""
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)


def assigned(port: int) -> bool:
    """Tell whether a process is a stable member of its group."""
    return metric(port, f"{PREFIX}_{ASSIGNED}") == 1


def restored(port: int) -> bool:
    """Tell whether a process has partitions, and has restored their state."""
    return metric(port, f"{PREFIX}_{RESTORED}") == 1 and (metric(port, f"{PREFIX}_{ASSIGNED_PARTITIONS}") or 0) >= 1


def run_name() -> str:
    """Return a name that no earlier run has, for topics on a cluster that others use too."""
    return f"bench{int(time.time())}"


def begin_at_the_start(settings: Settings) -> None:
    """Commit the beginning of every input for a new router group.

    A new group on an inbox that holds records looks like one whose offsets are lost, and a router would not start.
    """
    topics = settings.topics()
    cluster = KafkaAdmin(settings.kafka())
    counts = cluster.partition_counts(topics.name(topic) for topic in ROUTER_INPUTS)
    inputs = [(name, number) for name, count in counts.items() for number in range(count)]
    with CommittedOffsets(settings.kafka(), settings.router_group, timeout_s=30) as group:
        group.commit(cluster.log_starts(inputs))
