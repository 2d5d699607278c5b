"""The metrics of a process, as objects. `metric_names` has their names; each process wires in what it has."""

import platform
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import choose_encoder

from runtime import metric_names as names
from runtime.health import ProcessHealth, ProcessHealthReport

_PACKAGES = {"quixstreams": "quixstreams", "confluent_kafka": "confluent-kafka", "version": "batch-orchestrator"}


class Tally:
    """Counts in a plain dictionary what happens at every record; its counter is told at each scrape.

    One thread counts, another scrapes: totals only grow, so nothing is lost between the two.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.totals: defaultdict[tuple[str, ...], int] = defaultdict(int)
        """Amounts to add, by the values of the counter's labels in their order."""
        self._told: dict[tuple[str, ...], int] = {}

    def tell(self) -> None:
        """Add what is new to the counter."""
        for labels, total in list(self.totals.items()):
            self._counter.labels(*labels).inc(total - self._told.get(labels, 0))
            self._told[labels] = total


class Metrics:
    """Counters and gauges in a registry of their own, so that two processes' worth can live in one test.

    `process` is the kind of process: what another kind counts is here too, and not exported.
    """

    def __init__(self, process: str) -> None:
        self.registry = CollectorRegistry()
        self._process = process
        self._tallies: list[Tally] = []
        self._telling = Lock()
        self.records_read = self._counter(names.RECORDS_READ)
        """Label: topic, by its name under the default prefix."""
        self.records_written = self._counter(names.RECORDS_WRITTEN)
        """Label: topic, by its name under the default prefix."""
        self.decisions = self._counter(names.DECISIONS)
        """Labels: kind of the event, disposition."""
        self.dead_letters = self._counter(names.DEAD_LETTERS)
        """Label: error code."""
        self.chain_breaks = self._counter(names.CHAIN_BREAKS)
        self.unreadable_records = self._counter(names.UNREADABLE_RECORDS)
        """Label: topic, by its name under the default prefix."""
        self.commit_seconds = self._histogram(names.COMMIT_SECONDS, names.COMMIT_BUCKETS)
        self._alive = self._gauge(names.ALIVE)
        self._assigned = self._gauge(names.ASSIGNED)
        self._restored = self._gauge(names.RESTORED)
        self._partitions = self._gauge(names.ASSIGNED_PARTITIONS)
        self._lag = self._gauge(names.LAG_SECONDS)
        self.projection_commit_seconds = self._histogram(names.PROJECTION_COMMIT_SECONDS, names.COMMIT_BUCKETS)
        build = Info(names.BUILD, names.HELP[names.BUILD], namespace=names.PREFIX, registry=self._registry(names.BUILD))
        build.info(build_info())

    def watch(self, health: ProcessHealth) -> None:
        """Let the health gauges show what `health` says at each scrape."""
        gauges = (
            (self._alive, lambda report: report.alive),
            (self._assigned, lambda report: report.assigned),
            (self._restored, lambda report: report.restored),
            (self._partitions, lambda report: report.partitions),
            (self._lag, lambda report: report.lag_seconds),
        )
        for gauge, read in gauges:
            gauge.set_function(_reading(health, read))

    def tally(self, counter: Counter) -> Tally:
        """Return a tally of one of these counters, for what is counted too often to lock each time."""
        self._tallies.append(Tally(counter))
        return self._tallies[-1]

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return the body and its content type: OpenMetrics where `accept` asks for it."""
        with self._telling:
            for tally in self._tallies:
                tally.tell()
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counter(self, name: str) -> Counter:
        return Counter(
            name, names.HELP[name], names.LABELS.get(name, ()), namespace=names.PREFIX, registry=self._registry(name)
        )

    def _gauge(self, name: str) -> Gauge:
        return Gauge(
            name, names.HELP[name], names.LABELS.get(name, ()), namespace=names.PREFIX, registry=self._registry(name)
        )

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(
            name,
            names.HELP[name],
            names.LABELS.get(name, ()),
            namespace=names.PREFIX,
            registry=self._registry(name),
            buckets=buckets,
        )

    def _registry(self, name: str) -> CollectorRegistry | None:
        return self.registry if self._process in names.EXPORTED_BY[name] else None


def build_info() -> dict[str, str]:
    """Return the versions that this process runs on."""
    found = {"python": platform.python_version()}
    for label, package in _PACKAGES.items():
        try:
            found[label] = version(package)
        except PackageNotFoundError:
            found[label] = "unknown"
    return found


def _reading(health: ProcessHealth, read: Callable[[ProcessHealthReport], float]) -> Callable[[], float]:
    return lambda: float(read(health.report()))
