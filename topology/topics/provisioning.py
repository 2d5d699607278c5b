"""Creates and checks the topics. Own topics must match the table; peers' topics are used as they are."""

import time

from runtime.kafka.admin import KafkaAdmin
from runtime.settings import Settings
from schemas.errors import BrokerError, Code, TopicError
from schemas.topics import PEER_OUTPUTS, TopicSpec, TopicTable
from topology.topics.deployed import deployed_topics
from topology.topics.drift import IN_SYNC, ActualTopic, Difference, differences, in_sync_replicas

_VISIBLE_S = 60.0
_SHOWN_IN_A_ROW = 3


def plan(settings: Settings, *, create_peer_topics: bool = False) -> list[str]:
    """Return what `apply` would create, and what differs from the table. Changes nothing.

    Raises:
        BrokerError: the cluster does not answer.
    """
    table = deployed_topics(settings)
    actual = survey(connect(settings), table)
    missing = _to_create(table, actual, create_peer_topics=create_peer_topics)
    names = {spec.name for spec in missing}
    found = _differences(settings, table, actual)
    rest = [f"{one.severity}: {one}" for one in found if one.topic not in names]
    return [f"create {_described(spec)}" for spec in missing] + rest


def apply(settings: Settings, *, create_peer_topics: bool = False) -> list[str]:
    """Create missing topics, then check all; existing topics are never changed. Returns actions and warnings.

    `create_peer_topics` creates peers' topics too: for development clusters, where no peer creates them.

    Raises:
        BrokerError: the cluster does not answer.
        TopicError: a topic cannot be created, or an existing one differs.
    """
    table, cluster = deployed_topics(settings), connect(settings)
    missing = _to_create(table, survey(cluster, table), create_peer_topics=create_peer_topics)
    if missing:
        _create(cluster, settings, missing)
    actual = _survey_created(cluster, table, missing) if missing else survey(cluster, table)
    found = _differences(settings, table, actual)
    outputs = {settings.topics().name(topic) for topic in PEER_OUTPUTS}
    _refuse([one for one in found if one.topic not in outputs])
    return [f"created {_described(spec)}" for spec in missing] + [f"{one.severity}: {one}" for one in found]


def check(settings: Settings, *, outputs: bool = True) -> list[str]:
    """Check every topic against the table; returns warnings.

    Without `outputs`, as a process that publishes nothing checks them, a missing topic of the peers is a warning, and
    the file of pipeline definitions, which gives the topics of commands, is not read.

    Raises:
        BrokerError: the cluster does not answer.
        TopicError: an own topic is missing or differs, or an output topic is missing. The message names all.
    """
    table = deployed_topics(settings) if outputs else settings.topics()
    found = _differences(settings, table, survey(connect(settings), table))
    optional = set() if outputs else {settings.topics().name(topic) for topic in PEER_OUTPUTS}
    _refuse([one for one in found if one.topic not in optional])
    return [str(one) for one in found if one.severity == "warning"]


def connect(settings: Settings) -> KafkaAdmin:
    """Return an admin for a cluster that answers. Raises `BrokerError` after `startup_timeout_s` without an answer."""
    cluster = KafkaAdmin(settings.kafka())
    cluster.require_reachable(settings.startup_timeout_s)
    return cluster


def survey(cluster: KafkaAdmin, table: TopicTable) -> dict[str, ActualTopic]:
    """Return the topics of the table that exist, by real name."""
    counts = cluster.partition_counts(spec.name for spec in table.specs())
    configs, replicas = cluster.topic_configs(list(counts)), cluster.replica_counts(counts)
    return {
        name: ActualTopic(partitions=count, config=configs[name], replicas=replicas[name])
        for name, count in counts.items()
        if name in configs and name in replicas  # a broker that answers later may not know a new topic yet
    }


def _differences(settings: Settings, table: TopicTable, actual: dict[str, ActualTopic]) -> list[Difference]:
    return differences(table, actual, replication=settings.topic_replication)


def _create(cluster: KafkaAdmin, settings: Settings, specs: list[TopicSpec]) -> None:
    replicas = settings.topic_replication if settings.topic_replication > 0 else cluster.default_replicas()
    durable = {IN_SYNC: str(in_sync_replicas(replicas))} if replicas else {}
    cluster.create_topics(specs, replication=settings.topic_replication or -1, own=durable)


def _to_create(table: TopicTable, actual: dict[str, ActualTopic], *, create_peer_topics: bool) -> list[TopicSpec]:
    return [spec for spec in table.specs() if spec.name not in actual and (create_peer_topics or spec.owner == "own")]


def _survey_created(cluster: KafkaAdmin, table: TopicTable, created: list[TopicSpec]) -> dict[str, ActualTopic]:
    """Return the topics of the table once the brokers show the created ones.

    The controller acknowledges a creation, and each broker learns of it a moment later. Any broker may answer a
    question, so the topics must have been shown several times in a row.
    """
    deadline = time.monotonic() + _VISIBLE_S
    shown = 0
    while True:
        try:
            actual = survey(cluster, table)
        except TopicError:  # one broker shows a topic that the next one does not know yet
            actual = {}
        shown = shown + 1 if all(spec.name in actual for spec in created) else 0
        if shown == _SHOWN_IN_A_ROW:
            return actual
        if time.monotonic() > deadline:
            raise BrokerError(
                f"Topics were created, but the brokers do not show them after {_VISIBLE_S:g} s.",
                next_step="Look at the cluster's controller, then run it again.",
            )
        time.sleep(0.05)


def _refuse(found: list[Difference]) -> None:
    errors = [one for one in found if one.severity == "error"]
    if errors:
        missing = all("missing" in one.what for one in errors)
        raise TopicError(
            "Topics are not as they must be:\n" + "\n".join(f"  - {one}" for one in errors) + "\n",
            next_step="Do what is given for each of them; `bos topics plan` shows all topics.",
            code=Code.TOPIC_MISSING if missing else Code.TOPIC,
        )


def _described(spec: TopicSpec) -> str:
    config = ", ".join(f"{name}={value}" for name, value in (spec.config() | spec.durability()).items())
    return f"{spec.name} ({spec.partitions} partitions, {config})"
