"""The verifier: it reads the topics and checks the product's guarantees.

It knows only topic names and the published JSON, and decodes with the standard library, so that it also finds defects
of the product's codecs.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.kafka.partition_reader import KafkaRecord, read_to_ends
from schemas.topics import Topic, TopicTable

_TIMEOUT_SECONDS = 15.0
_RETRY_SECONDS = 0.5
_NO_VERSION = -1
_PURGED = "batch_purged"
"""Reason of the record that ends a life of a batch; a registration after it begins another."""


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
    """Counts of the records that were read, and the problems that were found."""

    inbox: int = 0
    history: int = 0
    effects: int = 0
    batches: int = 0
    dispositions: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


def verify(kafka: Mapping[str, Any], topics: TopicTable, *, patience: float = 0.0) -> Findings:
    """Read inbox, history, status and all published topics to their ends, and check that they agree.

    Records that are not written yet look missing, so the topics are read again for up to `patience` seconds while
    there are problems.

    Checked: one history record for each inbox record; the chain of versions of every batch; every effect that history
    names lies on its topic exactly once, and nothing lies there that history does not name; each (batch, phase,
    attempt) is commanded once in a life of the batch; the last status snapshot has the last version of the batch.
    """
    deadline = time.monotonic() + patience
    while not (findings := _verify(kafka, topics)).sound and time.monotonic() < deadline:
        time.sleep(_RETRY_SECONDS)
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
    """Yield the records of topics up to their ends; in order within each partition.

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
    recorded = Counter((record.value["partition"], record.value["offset"]) for record in history)
    for place in inbox.keys() - recorded.keys():
        findings.problems.append(f"inbox record {place} has no history record")
    for place, times in recorded.items():
        if times > 1:
            findings.problems.append(f"inbox record {place} has {times} history records")
        if place not in inbox:
            findings.problems.append(f"history has a record of inbox record {place}, which does not exist")


def _check_chains(history: list[VerifiedRecord], findings: Findings) -> dict[str, int]:
    by_batch: dict[str, list[VerifiedRecord]] = defaultdict(list)
    for record in history:
        if record.value["disposition"] != "quarantined" or record.value["based_on"] != _NO_VERSION:
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
            purged = value["version"] == _NO_VERSION != value["based_on"]
            if applied != (purged or value["version"] > value["based_on"]):
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
    announced: Counter[tuple[str, str]] = Counter()
    commands: Counter[tuple[str, int, str, int]] = Counter()
    lives: Counter[str] = Counter()
    for record in sorted(history, key=lambda r: (r.value["partition"], r.value["offset"])):
        batch_id = record.value["batch_id"]
        lives[batch_id] += record.value["reason"]["code"] == _PURGED
        for effect in record.value.get("effects", ()):
            announced[effect["topic"], effect["event_id"]] += 1
            if effect["kind"] == "command_phase":
                commands[batch_id, lives[batch_id], effect["phase"], effect["attempt"]] += 1
    published: Counter[tuple[str, str]] = Counter()
    names = [topics.name(topic) for topic in topics.outputs]
    published.update((record.topic, record.headers.get("event_id", "")) for record in read_topic(kafka, *names))
    findings.effects = published.total()
    findings.problems += [
        f"{topic}: {event_id} exists {n} times" for (topic, event_id), n in published.items() if n > 1
    ]
    findings.problems += [
        f"{topic}: {event_id} does not exist" for topic, event_id in announced.keys() - published.keys()
    ]
    findings.problems += [
        f"{topic}: {event_id} is in no history" for topic, event_id in published.keys() - announced.keys()
    ]
    findings.problems += [
        f"{(batch_id, phase, attempt)} is commanded {n} times"
        for (batch_id, _, phase, attempt), n in commands.items()
        if n > 1
    ]


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
