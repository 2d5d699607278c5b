"""Drift: how existing topics differ from the topic table. Pure: no Kafka."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.topics import PEER_OUTPUTS, TopicSpec, TopicTable

IN_SYNC = "min.insync.replicas"
_SAFE_REPLICAS = 3


class ActualTopic(Struct, frozen=True):
    """A topic as it exists on the cluster."""

    partitions: int
    config: Mapping[str, str]
    replicas: int = 1
    """Replicas of the partition that has the fewest."""


class Difference(Struct, frozen=True, kw_only=True):
    """One difference between a topic and the topic table."""

    topic: str
    severity: Literal["error", "warning"]
    what: str
    """What exists and what is required, as a sentence."""
    remedy: str
    """What to do, as a sentence."""

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} {self.remedy}"


def differences(table: TopicTable, actual: Mapping[str, ActualTopic], *, replication: int = -1) -> list[Difference]:
    """Return all differences of the topics of `table`; errors stop a process, warnings do not.

    `replication` is the required number of replicas of own topics; -1 if the cluster decides.
    """
    outputs = {table.name(topic) for topic in PEER_OUTPUTS}
    found: list[Difference] = []
    for spec in table.specs():
        topic = actual.get(spec.name)
        if topic is None:
            found.append(_missing(spec, is_output=spec.name in outputs))
        elif spec.owner == "own":
            found += _own(spec, topic, keyed=spec.partitions == table.partitions) + _durability(
                spec, topic, replication
            )
        else:
            found += _peer(spec, topic, is_output=spec.name in outputs)
    return found


def _missing(spec: TopicSpec, *, is_output: bool) -> Difference:
    if spec.owner == "own":
        return Difference(
            topic=spec.name, severity="error", what="It is missing.", remedy="Run `bos topics apply`, which creates it."
        )
    if is_output:
        return Difference(
            topic=spec.name,
            severity="error",
            what="It is missing, so records for it cannot be published.",
            remedy="Let its reader's owner create it, or run `bos topics apply --peer-topics`.",
        )
    return Difference(
        topic=spec.name,
        severity="warning",
        what="It is missing; the router reads it as soon as it exists.",
        remedy="No action is needed if no peer uses it.",
    )


def _own(spec: TopicSpec, topic: ActualTopic, *, keyed: bool) -> list[Difference]:
    """Return how an own topic differs; `keyed` is false if its partitions do not match those of the state."""
    found = []
    if topic.partitions < spec.partitions or (topic.partitions > spec.partitions and not spec.more_partitions):
        found.append(
            Difference(
                topic=spec.name,
                severity="error",
                what=f"It has {topic.partitions} partitions, not {spec.partitions}.",
                remedy=f"Set TOPIC_PARTITIONS to {topic.partitions} if all own topics have as many; otherwise stop "
                "all processes and move to a new inbox generation: keys would map to other partitions than their state."
                if keyed
                else "Delete it and run `bos topics apply`: processes write their reports to it again.",
            )
        )
    for name, wanted in (spec.config() | spec.durability()).items():
        have = topic.config.get(name, "")
        if not _fits(name, have, wanted):
            found.append(
                Difference(
                    topic=spec.name,
                    severity="error",
                    what=f"{name} is {have or 'unset'}, not {wanted}.",
                    remedy=_configure(spec.name, name, wanted),
                )
            )
    return found


def _durability(spec: TopicSpec, topic: ActualTopic, replication: int) -> list[Difference]:
    """Compare replicas: an acknowledged record must survive the loss of one broker where there are three."""
    found = []
    if topic.replicas < replication:
        what = f"It has {topic.replicas} replicas, not {replication}."
        remedy = "Add replicas with `kafka-reassign-partitions.sh`, or set TOPIC_REPLICATION to what it has."
        found.append(Difference(topic=spec.name, severity="error", what=what, remedy=remedy))
    given = topic.config.get(IN_SYNC, "")
    in_sync = int(given) if given.isdigit() else 1
    wanted = in_sync_replicas(topic.replicas)
    if in_sync < wanted:
        what = (
            f"{IN_SYNC} is {in_sync} with {topic.replicas} replicas: acknowledged records can be lost with one broker."
        )
        severity: Literal["error", "warning"] = "error"
    elif in_sync > topic.replicas:
        what, severity = f"{IN_SYNC} is {in_sync} with {topic.replicas} replicas: nothing can be written.", "error"
    elif in_sync == topic.replicas > 1:
        what = f"{IN_SYNC} is {in_sync} with {topic.replicas} replicas: nothing can be written while a broker is down."
        severity = "warning"
    else:
        return found
    remedy = _configure(spec.name, IN_SYNC, str(wanted))
    return [*found, Difference(topic=spec.name, severity=severity, what=what, remedy=remedy)]


def in_sync_replicas(replicas: int) -> int:
    """Return the `min.insync.replicas` that a topic with this number of replicas needs."""
    return 2 if replicas >= _SAFE_REPLICAS else 1


def _configure(topic: str, name: str, value: str) -> str:
    return f"Run `kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {name}={value}`."


def _fits(name: str, have: str, wanted: str) -> bool:
    """Return whether a setting fits: a topic may accept larger records, so that limits can be raised topic first."""
    if name == "max.message.bytes":
        return have.isdigit() and int(have) >= int(wanted)
    return have == wanted


def _peer(spec: TopicSpec, topic: ActualTopic, *, is_output: bool) -> list[Difference]:
    largest = int(topic.config.get("max.message.bytes", spec.max_message_bytes))
    if is_output and largest < spec.max_message_bytes:
        what = f"max.message.bytes is {largest}, below {spec.max_message_bytes}: batches with larger commands fail."
        remedy = "Raise it where such batches are expected."
    elif not is_output and largest > spec.max_message_bytes:
        what = f"max.message.bytes is {largest}, above {spec.max_message_bytes}: larger records become dead letters."
        remedy = "Raise MAX_INPUT_BYTES, and the sizes above it, where such records are expected."
    else:
        return []
    return [Difference(topic=spec.name, severity="warning", what=what, remedy=remedy)]
