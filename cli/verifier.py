"""The verifier: reads the topics and holds the product's promises against them.

It knows topic names and the published JSON alone; it decodes with the standard library, so that a defect of the
product's codecs cannot hide here.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.kafka.partition_reader import KafkaRecord, read_to_ends
from schemas.topics import PEER_OUTPUTS, Topic, TopicTable

_TIMEOUT_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.5
_NO_VERSION = -1
_OF_NO_BATCH = ("unreadable_record", "key_mismatch")
"""Reasons for which a record was set aside under a key of which nobody knows whether it is a batch's."""


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """A committed record as the verifier sees it."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    value: Any
    """Decoded JSON; None for a tombstone."""


@dataclass(slots=True)
class Findings:
    """What was read and what was wrong with it."""

    inbox: int = 0
    history: int = 0
    effects: int = 0
    batches: int = 0
    dispositions: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every promise held."""
        return not self.problems


def verify(kafka: Mapping[str, Any], topics: TopicTable, *, patience: float = 0.0) -> Findings:
    """Read inbox, history, status and all published topics to their ends, and check what they say of each other.

    Records that are still under way look like missing ones. So a log that is not sound is read again for `patience`
    seconds: what is under way arrives, and what is wrong stays wrong.

    Held: one history record for each inbox record; the chain of versions of every batch; every effect that history
    names lies on its topic exactly once, and nothing lies there that history does not name; each (batch, phase,
    attempt) is commanded once; the last status snapshot has the last version.
    """
    deadline = time.monotonic() + patience
    while not (findings := _verify(kafka, topics)).sound and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SECONDS)
    return findings


def _verify(kafka: Mapping[str, Any], topics: TopicTable) -> Findings:
    findings = Findings()
    inbox = {(r.partition, r.offset): r.key for r in read_topic(kafka, topics.name(Topic.INBOX))}
    history = list(read_topic(kafka, topics.name(Topic.HISTORY)))
    findings.inbox, findings.history = len(inbox), len(history)
    findings.dispositions.update(record.value["disposition"] for record in history)
    _check_one_for_one(inbox, history, findings)
    last = _check_chains(history, findings)
    findings.batches = len(last)
    _check_effects(kafka, topics, history, findings)
    _check_statuses(read_topic(kafka, topics.name(Topic.STATUS)), last, findings)
    return findings


def read_topic(kafka: Mapping[str, Any], *topics: str, isolation: str = "read_committed") -> Iterator[VerifiedRecord]:
    """Yield what lies on topics up to their ends; in order within each partition.

    Raises:
        TimeoutError: a partition is silent for 15 seconds.
    """
    group = "batch-orchestrator-verifier"
    committed = isolation == "read_committed"
    for record in read_to_ends(kafka, topics, group=group, timeout_s=_TIMEOUT_SECONDS, committed=committed):
        yield _record(record)


def _record(record: KafkaRecord) -> VerifiedRecord:
    return VerifiedRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode(errors="replace"),
        headers={name: (value or b"").decode() for name, value in record.headers},
        value=None if record.value is None else _json(record.value),
    )


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def _check_one_for_one(inbox: Mapping[tuple[int, int], str], history: list[VerifiedRecord], findings: Findings) -> None:
    told = Counter((record.value["partition"], record.value["offset"]) for record in history)
    for place in inbox.keys() - told.keys():
        findings.problems.append(f"inbox record {place} has no history record")
    for place, times in told.items():
        if times > 1:
            findings.problems.append(f"inbox record {place} has {times} history records")
        if place not in inbox:
            findings.problems.append(f"history tells of an inbox record {place} that is not there")


def _check_chains(history: list[VerifiedRecord], findings: Findings) -> dict[str, int]:
    by_batch: dict[str, list[VerifiedRecord]] = defaultdict(list)
    for record in history:
        if record.value["reason"]["code"] not in _OF_NO_BATCH:
            by_batch[record.value["batch_id"]].append(record)
    last: dict[str, int] = {}
    for batch_id, records in by_batch.items():
        version = _NO_VERSION
        for record in sorted(records, key=lambda r: r.value["offset"]):
            value = record.value
            if value["based_on"] != version:
                findings.problems.append(
                    f"batch {batch_id}: offset {value['offset']} is based on {value['based_on']}, not on {version}"
                )
            applied = value["disposition"] == "applied"
            if applied != (value["version"] > value["based_on"]):
                findings.problems.append(
                    f"batch {batch_id}: offset {value['offset']} is {value['disposition']} yet "
                    f"goes from version {value['based_on']} to {value['version']}"
                )
            version = value["version"]
        if version != _NO_VERSION:
            last[batch_id] = version
    return last


def _check_effects(
    kafka: Mapping[str, Any], topics: TopicTable, history: list[VerifiedRecord], findings: Findings
) -> None:
    told: Counter[tuple[str, str]] = Counter()
    commands: Counter[tuple[str, str, int]] = Counter()
    for record in history:
        for effect in record.value.get("effects", ()):
            told[effect["topic"], effect["event_id"]] += 1
            if effect["kind"] == "command_phase":
                commands[record.value["batch_id"], effect["phase"], effect["attempt"]] += 1
    published: Counter[tuple[str, str]] = Counter()
    names = [topics.name(topic) for topic in PEER_OUTPUTS]
    published.update((record.topic, record.headers.get("event_id", "")) for record in read_topic(kafka, *names))
    findings.effects = published.total()
    findings.problems += [
        f"{topic}: {event_id} is there {n} times" for (topic, event_id), n in published.items() if n > 1
    ]
    findings.problems += [f"{topic}: {event_id} is not there" for topic, event_id in told.keys() - published.keys()]
    findings.problems += [f"{topic}: {event_id} is in no history" for topic, event_id in published.keys() - told.keys()]
    findings.problems += [f"{command} is commanded {n} times" for command, n in commands.items() if n > 1]


def _check_statuses(records: Iterable[VerifiedRecord], last: Mapping[str, int], findings: Findings) -> None:
    seen: dict[str, int] = {}
    for record in records:
        version = int(record.headers["version"])
        if version <= seen.get(record.key, _NO_VERSION):
            findings.problems.append(f"batch {record.key}: status {version} after {seen[record.key]}")
        seen[record.key] = version
    for batch_id, version in last.items():
        if seen.get(batch_id) != version:
            findings.problems.append(f"batch {batch_id}: last status {seen.get(batch_id)}, last history {version}")
