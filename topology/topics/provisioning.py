"""Creating and checking the topics. Own topics are held strictly to the table, peers' topics are taken as they are."""

import logging
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from runtime.settings import Settings
from schemas.errors import BrokerError, OrchestratorError, TopicError
from schemas.topics import PEER_OUTPUTS, TopicSpec
from topology.topics.drift import IN_SYNC, ActualTopic, Difference, differences, in_sync_replicas

_KAFKA_LOG = logging.getLogger("librdkafka")
_clients: dict[str, AdminClient] = {}
_REQUEST_TIMEOUT_S = 15.0
_VISIBLE_S = 15.0


def plan(settings: Settings, *, create_peer_topics: bool = False) -> list[str]:
    """Return what `apply` would create, and what differs from the table. Changes nothing.

    Raises:
        BrokerError: the cluster does not answer.
    """
    admin = connect(settings)
    actual = survey(admin, settings)
    missing = _to_create(settings, actual, create_peer_topics=create_peer_topics)
    names = {spec.name for spec in missing}
    rest = [f"{found.severity}: {found}" for found in _differences(settings, actual) if found.topic not in names]
    return [f"create {_described(spec)}" for spec in missing] + rest


def apply(settings: Settings, *, create_peer_topics: bool = False) -> list[str]:
    """Create what is missing, then check; a topic that is there is never changed. Returns what was done, and warnings.

    `create_peer_topics` creates peers' topics too: for development clusters, where no peer does.

    Raises:
        BrokerError: the cluster does not answer.
        TopicError: a topic cannot be created, or one that is there differs.
    """
    admin = connect(settings)
    missing = _to_create(settings, survey(admin, settings), create_peer_topics=create_peer_topics)
    if missing:
        _create(admin, settings, missing)
        _await_visible(admin, [spec.name for spec in missing])
    found = _differences(settings, survey(admin, settings))
    outputs = {settings.topics().name(topic) for topic in PEER_OUTPUTS}
    _refuse([one for one in found if one.topic not in outputs])
    return [f"created {_described(spec)}" for spec in missing] + [f"{one.severity}: {one}" for one in found]


def check(settings: Settings, *, outputs: bool = True) -> list[str]:
    """Hold every topic against the table; returns warnings. Without `outputs` a missing output topic is one of them.

    Raises:
        BrokerError: the cluster does not answer.
        TopicError: an own topic is missing or differs, or an output topic is missing. Names all of them.
    """
    found = _differences(settings, survey(connect(settings), settings))
    optional = set() if outputs else {settings.topics().name(topic) for topic in PEER_OUTPUTS}
    _refuse([one for one in found if one.topic not in optional])
    return [str(one) for one in found if one.severity == "warning"]


def connect(settings: Settings) -> AdminClient:
    """Return a client of a cluster that answers; one for each cluster, for the life of the process.

    It is never collected: where Python's collector runs in a callback of librdkafka's own thread, a client that goes
    there ends the process (confluent-kafka-python, pull request 2129).

    Raises:
        BrokerError: nothing answered within the start's timeout; names the address.
    """
    config = {**settings.kafka(), "client.id": "batch-orchestrator-topics"}
    cluster = repr(sorted(config.items()))
    if cluster not in _clients:
        _clients[cluster] = AdminClient(config, logger=_KAFKA_LOG)
    admin = _clients[cluster]
    try:
        admin.list_topics(timeout=settings.startup_timeout_s)
    except KafkaException as error:
        raise BrokerError(
            f"No Kafka broker answers at {settings.kafka_bootstrap_servers} within {settings.startup_timeout_s:g} s: "
            f"{error.args[0].str()}.",
            next_step="Check BATCH_ORCHESTRATOR_SERVICE_KAFKA_BOOTSTRAP_SERVERS, the security settings, and that the "
            "brokers run.",
        ) from error
    return admin


def survey(admin: AdminClient, settings: Settings) -> dict[str, ActualTopic]:
    """Return the topics of the table that are there, by real name."""
    known = _asked(lambda: admin.list_topics(timeout=_REQUEST_TIMEOUT_S)).topics
    names = [spec.name for spec in settings.topics().specs() if spec.name in known]
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    configs = admin.describe_configs(resources, request_timeout=_REQUEST_TIMEOUT_S)
    return {
        resource.name: ActualTopic(
            partitions=len(known[resource.name].partitions),
            config={name: entry.value for name, entry in _asked(future.result).items()},
            replicas=min(len(one.replicas) for one in known[resource.name].partitions.values()),
        )
        for resource, future in configs.items()
    }


def _differences(settings: Settings, actual: dict[str, ActualTopic]) -> list[Difference]:
    return differences(settings.topics(), actual, replication=settings.topic_replication)


def _to_create(settings: Settings, actual: dict[str, ActualTopic], *, create_peer_topics: bool) -> list[TopicSpec]:
    return [
        spec
        for spec in settings.topics().specs()
        if spec.name not in actual and (create_peer_topics or spec.owner == "own")
    ]


def _create(admin: AdminClient, settings: Settings, specs: list[TopicSpec]) -> None:
    replicas = settings.topic_replication if settings.topic_replication > 0 else _default_replicas(admin)
    durable = {IN_SYNC: str(in_sync_replicas(replicas))} if replicas else {}
    new = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=settings.topic_replication or -1,
            config=spec.config() | spec.durability() | (durable if spec.owner == "own" else {}),
        )
        for spec in specs
    ]
    for name, future in admin.create_topics(new, request_timeout=_REQUEST_TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(
                    f"Topic {name} cannot be created: {error.args[0].str()}.",
                    next_step="Check the rights of this client and TOPIC_REPLICATION, or have the topic created as "
                    "`bos topics plan` shows it.",
                ) from error


def _default_replicas(admin: AdminClient) -> int | None:
    """Return how many replicas the cluster gives a topic; None where this client may not know."""
    brokers = _asked(lambda: admin.list_topics(timeout=_REQUEST_TIMEOUT_S)).brokers
    resource = ConfigResource(ResourceType.BROKER, str(next(iter(brokers))))
    try:
        config = admin.describe_configs([resource], request_timeout=_REQUEST_TIMEOUT_S)[resource].result()
    except KafkaException:
        return None
    return int(config["default.replication.factor"].value)


def _await_visible(admin: AdminClient, names: list[str]) -> None:
    """Creation is acknowledged by the controller; brokers know of it a moment later."""
    deadline = time.monotonic() + _VISIBLE_S
    while time.monotonic() < deadline:
        known = _asked(lambda: admin.list_topics(timeout=_REQUEST_TIMEOUT_S)).topics
        if all(name in known and known[name].partitions for name in names):
            return
        time.sleep(0.05)
    raise BrokerError(
        f"Topics were created, but the brokers do not show them after {_VISIBLE_S:g} s.",
        next_step="Look at the cluster's controller, then run it again.",
    )


def _refuse(found: list[Difference]) -> None:
    errors = [one for one in found if one.severity == "error"]
    if errors:
        missing = all("missing" in one.what for one in errors)
        raise TopicError(
            "Topics are not as they must be:\n" + "\n".join(f"  - {one}" for one in errors) + "\n",
            next_step="Do what stands with each of them; `bos topics plan` shows all topics.",
            code="ORC-TOPIC-MISSING" if missing else "ORC-TOPIC",
        )


def _described(spec: TopicSpec) -> str:
    config = ", ".join(f"{name}={value}" for name, value in (spec.config() | spec.durability()).items())
    return f"{spec.name} ({spec.partitions} partitions, {config})"


def _asked(question: Any) -> Any:
    try:
        return question()
    except KafkaException as error:
        raise _failed(error) from error


def _failed(error: KafkaException) -> OrchestratorError:
    reason = error.args[0]
    if reason.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}:
        return TopicError(
            f"This client may not read the settings of the topics: {reason.str()}.",
            next_step="Allow it DescribeConfigs on them.",
        )
    return BrokerError(f"The Kafka cluster stopped answering: {reason.str()}.", next_step="Look at its brokers.")
