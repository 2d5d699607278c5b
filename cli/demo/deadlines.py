"""The demo with silent peers: a pipeline with deadlines of seconds, and what came of the deadlines."""

import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from cli.demo.table import percentile
from cli.verifier import VerifiedRecord, read_topic
from runtime import metric_names as names
from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason
from schemas.internal.records import NEXT_DEADLINE_MS
from schemas.topics import Topic, TopicTable

STALLED_S, DEADLINE_S = 2, 4
PIPELINE = f"""# Written by `bos demo --silent-peer`: phases whose peers never answer are given up after seconds.
default = "silent-peer"

[[pipelines]]
name = "silent-peer"
version = 1

[[pipelines.phases]]
name = "spellcheck"
stalled_after_s = {STALLED_S}
deadline_s = {DEADLINE_S}

[[pipelines.phases]]
name = "cj_assessment"
after = ["spellcheck"]
when = "enable_cj_assessment"
stalled_after_s = {STALLED_S}
deadline_s = {DEADLINE_S}
"""
_LOOK_S = 0.5
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineFacts:
    """What status and history say about the deadlines of all batches."""

    decisions: Mapping[tuple[str, str], int]
    """Decisions on deadlines, by disposition and reason."""
    late_s: Sequence[float]
    """Sorted: seconds from the deadline of a phase to its end."""
    purges: int
    """Ended batches whose purge is armed."""
    problems: Sequence[str]
    """A sentence for each batch that did not end by its deadline, or with another deadline than its purge armed."""


def write_pipeline(directory: Path) -> Path:
    """Write the file of the pipeline, and return its path."""
    path = directory / "silent-peer.toml"
    path.write_text(PIPELINE, encoding="utf-8")
    return path


def deadline_facts(kafka: Mapping[str, Any], topics: TopicTable) -> DeadlineFacts:
    """Return what status and history say."""
    history = read_topic(kafka, topics.name(Topic.HISTORY))
    of_deadlines = (record.value for record in history if record.value["kind"] == "deadline_reached")
    decisions = Counter((record["disposition"], record["reason"]["code"]) for record in of_deadlines)
    newest = {record.key: record for record in read_topic(kafka, topics.name(Topic.STATUS))}
    problems, late_s, purges = [], [], 0
    for record in newest.values():
        if record.value is None:
            continue
        problems += [f"{record.key}: {problem}" for problem in _problems(record)]
        late_s += _late_s(record.value)
        purges += NEXT_DEADLINE_MS in record.headers
    return DeadlineFacts(decisions=decisions, late_s=sorted(late_s), purges=purges, problems=problems)


def await_nothing_due(metrics_port: int, armed: int, *, seconds: float) -> list[str]:
    """Wait until the timekeeper has `armed` deadlines, none of them due; return what is not so after `seconds`."""
    deadline = time.monotonic() + seconds
    wanted = {names.DEADLINES_ARMED: float(armed), names.DEADLINES_DUE: 0.0}
    while (found := _metrics(metrics_port, wanted)) != wanted and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return [
        f"the timekeeper's {name} is {found.get(name)}, expected {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def deadlines_table(facts: DeadlineFacts) -> Table:
    """Return the table of what came of the deadlines."""
    table = Table(title="What came of the deadlines")
    table.add_column("what")
    table.add_column("number", justify="right")
    for (disposition, code), number in sorted(facts.decisions.items()):
        table.add_row(f"{disposition}: {code}", str(number))
    table.add_row("phases given up at their deadline", str(len(facts.late_s)))
    table.add_row("  seconds after it, p50", f"{percentile(facts.late_s, 50):.2f}")
    table.add_row("  seconds after it, max", f"{percentile(facts.late_s, 100):.2f}")
    table.add_row("still armed: purges of ended batches", str(facts.purges))
    table.add_row("still armed: anything else", str(len(facts.problems)))
    return table


def _problems(record: VerifiedRecord) -> list[str]:
    status = record.value
    found = [
        f"the deadline {one['kind']} is still armed"
        for one in status.get("deadlines", ())
        if one["kind"] != DeadlineKind.PURGE
    ]
    if not BatchStatus(status["status"]).terminal:
        found.append(f"it has not ended, but is {status['status']}")
    return found


def _late_s(status: Mapping[str, Any]) -> list[float]:
    """Return for each phase that was given up how many seconds after its deadline it ended."""
    return [
        (phase["completed_ms"] - phase["started_ms"]) / 1_000 - DEADLINE_S
        for phase in status["phases"].values()
        if phase.get("reason") == PhaseReason.DEADLINE_MISSED
    ]


def _metrics(port: int, wanted: Mapping[str, float]) -> dict[str, float]:
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    found = {name: values.get(f"{names.PREFIX}_{name}") for name in wanted}
    return {name: float(value) for name, value in found.items() if value is not None}
