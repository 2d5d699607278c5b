"""The metrics of a process as objects; `metric_names` has their names, and each process connects its own."""

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
    """Counts frequent events in a plain dictionary, which is added to the counter at each scrape.

    One thread counts and another scrapes; totals only grow, so no event is lost between the two.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.totals: defaultdict[tuple[str, ...], int] = defaultdict(int)
        """Amounts to add, by the values of the counter's labels in their order."""
        self._added: dict[tuple[str, ...], int] = {}

    def flush(self) -> None:
        """Add the events since the last flush to the counter."""
        for labels, total in list(self.totals.items()):
            self._counter.labels(*labels).inc(total - self._added.get(labels, 0))
            self._added[labels] = total


class Metrics:
    """Counters and gauges in a registry of their own, so that one test can hold those of two processes.

    `process` is the kind of process. Metrics of other kinds exist too, and are not exported.
    """

    def __init__(self, process: str) -> None:
        self.registry = CollectorRegistry()
        self._process = process
        self._tallies: list[Tally] = []
        self._flushing = Lock()
        self.records_read = self._counter(names.RECORDS_READ)
        """Records by topic, named under the default prefix."""
        self.records_written = self._counter(names.RECORDS_WRITTEN)
        """Records by topic, named under the default prefix."""
        self.decisions = self._counter(names.DECISIONS)
        """Decisions by kind of the event and disposition."""
        self.dead_letters = self._counter(names.DEAD_LETTERS)
        """Dead letters by error code."""
        self.chain_breaks = self._counter(names.CHAIN_BREAKS)
        self.unreadable_records = self._counter(names.UNREADABLE_RECORDS)
        """Records by topic, named under the default prefix."""
        self.commit_seconds = self._histogram(names.COMMIT_SECONDS, names.COMMIT_BUCKETS)
        self._alive = self._gauge(names.ALIVE)
        self._assigned = self._gauge(names.ASSIGNED)
        self._restored = self._gauge(names.RESTORED)
        self._partitions = self._gauge(names.ASSIGNED_PARTITIONS)
        self._lag = self._gauge(names.LAG_SECONDS)
        self.projection_commit_seconds = self._histogram(names.PROJECTION_COMMIT_SECONDS, names.COMMIT_BUCKETS)
        self.deadlines_armed = self._gauge(names.DEADLINES_ARMED)
        self.deadlines_due = self._gauge(names.DEADLINES_DUE)
        self.deadline_lateness_seconds = self._histogram(names.DEADLINE_LATENESS_SECONDS, names.LATENESS_BUCKETS)
        self.deadline_gate_age_seconds = self._gauge(names.DEADLINE_GATE_AGE_SECONDS)
        build = Info(names.BUILD, names.HELP[names.BUILD], namespace=names.PREFIX, registry=self._registry(names.BUILD))
        build.info(build_info())

    def watch(self, health: ProcessHealth) -> None:
        """Set the health gauges from `health` at each scrape."""
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
        """Return a tally of one of these counters, for events that are too frequent to lock each time."""
        self._tallies.append(Tally(counter))
        return self._tallies[-1]

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return the body and its content type: OpenMetrics if `accept` asks for it."""
        with self._flushing:
            for tally in self._tallies:
                tally.flush()
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
