"""The soak: batches from registration to purge, for long enough that whatever grows shows.

A batch is purged seconds after its end: topics keep records for `RETENTION_S`, and the pipeline's `purge_after_s` is
just above what the check of pipeline definitions asks for then (`ENVIRONMENT=testing` allows it). So the number of
batches that are kept is the rate times a known time, and after the first purges every curve must be flat.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from rich.table import Table

from bench.live import PlayedPeers
from bench.sizes import LiveKeys, directory_bytes, held_batches, memory_bytes, projection_rows, topic_bytes
from bench.workplace import ProcessEnded
from cli.broker import DevBroker, Kafka
from cli.supervision.stack import Stack, StackOptions
from schemas.topics import Topic, TopicTable

RETENTION_S = 10
PURGE_AFTER_S = TopicTable(retention_ms=RETENTION_S * 1000).registrations_kept_ms // 1000 + 1
BROKER_SETTINGS = {
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
}
"""The broker removes what it may remove within seconds."""
ESSAYS = 5
MOST_OPEN = 1_000
"""Batches that may be open at a time; where there are as many, the rate is not kept."""
FLAT = 1.25
"""Most that a curve may have grown from its first to its last third to be called flat."""
_SAMPLE_S = 5.0
_PLAY_S = 0.5
_MIB = 1_048_576

PIPELINE = f"""
default = "soak"

[[pipelines]]
name = "soak"
version = 1
purge_after_s = {PURGE_AFTER_S}

[[pipelines.phases]]
name = "spellcheck"
stalled_after_s = 60
deadline_s = 600

[[pipelines.phases]]
name = "cj_assessment"
after = ["spellcheck"]
when = "enable_cj_assessment"
stalled_after_s = 60
deadline_s = 600
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """What there was at one time."""

    at_s: float
    """Seconds since the beginning."""
    ended: int
    """Batches that have ended so far."""
    sizes: Mapping[str, float]
    """Every curve's value, by its name."""


@dataclass(slots=True)
class SoakResult:
    """The curves of a soak, and what was left after the last purge."""

    samples: list[Sample] = field(default_factory=list)
    steady_from_s: float = 0.0
    """Seconds since the beginning from which batches are purged as fast as they come."""
    steady_to_s: float = 0.0
    """Seconds since the beginning until which batches were registered."""
    left: dict[str, int] = field(default_factory=dict)
    """What was left of the batches: keys and rows."""

    def growth(self) -> dict[str, float]:
        """Return by how much each curve has grown from the first to the last third of the steady time."""
        steady = [each for each in self.samples if self.steady_from_s <= each.at_s <= self.steady_to_s]
        third = len(steady) // 3
        if not third:
            return {}
        first, last = steady[:third], steady[-third:]
        return {
            name: mean(each.sizes[name] for each in last) / max(1.0, mean(each.sizes[name] for each in first))
            for name in steady[0].sizes
        }


class Soak:
    """A soak on one Kafka cluster, in one directory."""

    def __init__(self, kafka: Kafka, directory: Path, name: str, report: Callable[[str], None]) -> None:
        self._kafka = kafka
        self._directory = directory / "soak"
        self._directory.mkdir()
        self._name = name
        self._report = report
        self._patience_s = 0.0
        self._last_ended, self._last_s = 0, 0.0

    def run(self, *, batches: int, per_second: float, patience_s: float = 600.0) -> SoakResult:
        """Register `batches` batches at a steady rate, and wait until the last one is purged.

        The rate must be one that the product keeps up with: the number of batches that are kept follows from it.
        `patience_s` is how long nothing may move, and how long the last purge may take.
        """
        self._patience_s = patience_s
        pipelines = self._directory / "pipelines.toml"
        pipelines.write_text(PIPELINE)
        options = StackOptions(
            bootstrap_servers=self._kafka.bootstrap_servers,
            directory=self._directory,
            settings={
                "TOPIC_PREFIX": f"{self._name}-soak",
                "TOPIC_RETENTION_S": str(RETENTION_S),
                "ENVIRONMENT": "testing",
                "PIPELINES_FILE": str(pipelines),
                # A cache that is full after minutes: what still grows then is no cache.
                "STORE_CACHE_MIB": "4",
            },
        )
        with Stack(options, on_event=self._report) as stack:
            topics = stack.settings.topics()
            followed = [topics.changelog, topics.name(Topic.STATUS)]
            with LiveKeys(stack.settings.kafka(), followed) as live:
                return self._soak(stack, live, batches, per_second)

    def _soak(self, stack: Stack, live: LiveKeys, batches: int, per_second: float) -> SoakResult:
        result, start = SoakResult(), time.monotonic()
        registered = 0
        with closing(PlayedPeers(stack.settings, essays=ESSAYS, run=f"{self._name}-soak")) as peers:

            def refill() -> None:
                nonlocal registered
                due = min(batches, int((time.monotonic() - start) * per_second) + 1)
                while registered < due and peers.open < MOST_OPEN:
                    peers.register()
                    registered += 1

            sampled = start
            moved, ended = start, 0
            while peers.ended < batches:
                peers.play(time.monotonic() + _PLAY_S, refill)
                peers.answers.clear()
                now = time.monotonic()
                if peers.ended > ended:
                    moved, ended = now, peers.ended
                if now - moved > self._patience_s:
                    raise ProcessEnded(f"no batch has ended for {self._patience_s:.0f} s; {peers.open} are open")
                if now - sampled >= _SAMPLE_S:
                    sampled = now
                    result.samples.append(self._sample(stack, live, now - start, peers.ended))
            result.steady_from_s, result.steady_to_s = 2.0 * PURGE_AFTER_S, time.monotonic() - start
        self._report(f"{batches} batches have ended; waiting until all are purged")
        self._await_purged(stack, live, result, start, batches)
        return result

    def _await_purged(self, stack: Stack, live: LiveKeys, result: SoakResult, start: float, batches: int) -> None:
        deadline = time.monotonic() + self._patience_s
        while True:
            time.sleep(_SAMPLE_S / 2)
            result.samples.append(self._sample(stack, live, time.monotonic() - start, batches))
            left = self._left(stack, live)
            if not any(left.values()) or time.monotonic() > deadline:
                result.left = left
                return

    def _left(self, stack: Stack, live: LiveKeys) -> dict[str, int]:
        rows = projection_rows(stack.directory / "projection.db")
        named = self._named(stack)
        return {
            **{f"{named[topic]} keys": count for topic, count in live.counts().items()},
            **{f"projection {table}": rows[table] for table in ("batches", "phases")},
            "snapshots in the api": held_batches(stack.api_url),
        }

    def _sample(self, stack: Stack, live: LiveKeys, at_s: float, ended: int) -> Sample:
        stack.supervisor.check()
        named = self._named(stack)
        sizes: dict[str, float] = {f"{named[topic]} keys": count for topic, count in live.counts().items()}
        sizes["ended in a second"] = (ended - self._last_ended) / max(0.001, at_s - self._last_s)
        self._last_ended, self._last_s = ended, at_s
        for name in stack.supervisor.restarts:
            if name.startswith("orchestrator"):
                sizes[f"{name} store MiB"] = directory_bytes(stack.directory / name) / _MIB
        if isinstance(self._kafka, DevBroker):
            data = self._kafka.nodes[0].directory / "data"
            sizes |= {f"{named[topic]} log MiB": topic_bytes(data, topic) / _MIB for topic in named}
        file = stack.directory / "projection.db"
        sizes |= {f"projection {table}": rows for table, rows in projection_rows(file).items()}
        sizes["projection file MiB"] = (
            sum(path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")) if path.exists()) / _MIB
        )
        sizes["snapshots in the api"] = held_batches(stack.api_url)
        pids = {name: stack.supervisor.pid(name) for name in stack.supervisor.restarts}
        memory = memory_bytes(pids | {"load generator": os.getpid()})
        sizes |= {f"{name} memory MiB": used / _MIB for name, used in memory.items()}
        self._report(
            f"{at_s:.0f} s: {ended} ended, "
            + ", ".join(f"{name} {value:.0f}" for name, value in list(sizes.items())[:4])
        )
        return Sample(at_s, ended, sizes)

    @staticmethod
    def _named(stack: Stack) -> dict[str, str]:
        topics = stack.settings.topics()
        return {topics.changelog: "changelog", topics.name(Topic.STATUS): "status"}


def curve_table(result: SoakResult) -> Table:
    """Return the table of curves: their values over time, and by how much they have grown in the steady time."""
    shown = _spread(result.samples, 8)
    growth = result.growth()
    table = Table(title="What is kept, over time (batches are purged seconds after their end)")
    table.add_column("seconds: batches ended")
    for each in shown:
        table.add_column(f"{each.at_s:.0f}: {each.ended}", justify="right")
    table.add_column("growth", justify="right")
    for name in result.samples[0].sizes if result.samples else ():
        grown = growth.get(name)
        verdict = "" if grown is None else f"x{grown:.2f}" + ("" if grown <= FLAT else " GROWS")
        table.add_row(name, *(f"{each.sizes[name]:.0f}" for each in shown), verdict)
    for name, count in result.left.items():
        table.add_row(f"left after the last purge: {name}", *[""] * len(shown), str(count))
    return table


def _spread(samples: list[Sample], most: int) -> list[Sample]:
    if len(samples) <= most:
        return samples
    return [samples[round(index * (len(samples) - 1) / (most - 1))] for index in range(most)]
