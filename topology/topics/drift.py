"""How a topic that is there differs from what the table says. Pure: no Kafka."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.topics import PEER_OUTPUTS, TopicSpec, TopicTable


class ActualTopic(Struct, frozen=True):
    """A topic as the cluster has it."""

    partitions: int
    config: Mapping[str, str]


class Difference(Struct, frozen=True, kw_only=True):
    """One way in which a topic is not as it must be."""

    topic: str
    severity: Literal["error", "warning"]
    what: str
    """A sentence: what is there and what is wanted."""
    remedy: str
    """A sentence: what to do."""

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} {self.remedy}"


def differences(table: TopicTable, actual: Mapping[str, ActualTopic]) -> list[Difference]:
    """Return everything that is wrong with the topics of `table`; errors stop a process, warnings do not."""
    outputs = {table.name(topic) for topic in PEER_OUTPUTS}
    found: list[Difference] = []
    for spec in table.specs():
        topic = actual.get(spec.name)
        if topic is None:
            found.append(_missing(spec, is_output=spec.name in outputs))
        elif spec.owner == "own":
            found += _own(spec, topic, keyed=spec.partitions == table.partitions)
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
            what="It is missing, so what is published to it would have nowhere to go.",
            remedy="Let its reader's owner create it, or run `bos topics apply --peer-topics`.",
        )
    return Difference(
        topic=spec.name,
        severity="warning",
        what="It is missing; the router reads it as soon as it is there.",
        remedy="Nothing needs to be done where no peer uses it.",
    )


def _own(spec: TopicSpec, topic: ActualTopic, *, keyed: bool) -> list[Difference]:
    """Return how an own topic differs; `keyed` is false for one whose partitions are not those of the state."""
    found = []
    if topic.partitions != spec.partitions:
        found.append(
            Difference(
                topic=spec.name,
                severity="error",
                what=f"It has {topic.partitions} partitions, not {spec.partitions}.",
                remedy=f"Set TOPIC_PARTITIONS to {topic.partitions} if all own topics have as many; otherwise stop "
                "all processes and move to a new inbox generation: keys would part from their state."
                if keyed
                else "Delete it and run `bos topics apply`: processes write to it again what it held.",
            )
        )
    for name, wanted in spec.config().items():
        have = topic.config.get(name, "")
        if not _fits(name, have, wanted):
            found.append(
                Difference(
                    topic=spec.name,
                    severity="error",
                    what=f"{name} is {have or 'unset'}, not {wanted}.",
                    remedy=f"Run `kafka-configs.sh --alter --entity-type topics --entity-name {spec.name} "
                    f"--add-config {name}={wanted}`.",
                )
            )
    return found


def _fits(name: str, have: str, wanted: str) -> bool:
    """Whether a setting will do: a topic may take larger records, so that limits can be raised topic first."""
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
