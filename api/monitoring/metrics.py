"""Metrics of the api: HTTP requests, operations, batches counted from the Kafka log, and the lag of every process.

With one worker there is one registry. With several, prometheus_client's multiprocess mode adds up the HTTP metrics
of all workers. Batches are counted by one worker only, because every worker reads the whole log. Each replica of the
api counts them too: take the maximum over replicas, not the sum.
"""

import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from api.kafka_log.kafka_log import LogRecord
from api.monitoring.service_health import ServiceHealthReport
from runtime import metric_names as names
from schemas.internal.enums import BatchStatus
from schemas.topics import Topic

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_ENDED = frozenset(status.value for status in BatchStatus if status.terminal)


class _Change(Struct):
    after: str
    phase: str = ""
    before: str | None = None


class _HistoryChanges(Struct):
    """The part of a history record that the metrics need."""

    changes: tuple[_Change, ...] = ()


_decode_changes = msgspec.json.Decoder(_HistoryChanges).decode


class ApiMetrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        directory = os.environ.get(MULTIPROCESS_VARIABLE)
        self._several = directory is not None
        self._counts_log = _Election(Path(directory)) if directory else None
        self.registry = CollectorRegistry()
        self.requests = self._counter(names.HTTP_REQUESTS)
        """Requests by method, endpoint and status; `endpoint` is the route's template, never a path with an id."""
        self.seconds = Histogram(
            names.HTTP_REQUEST_SECONDS,
            names.HELP[names.HTTP_REQUEST_SECONDS],
            names.LABELS[names.HTTP_REQUEST_SECONDS],
            buckets=names.HTTP_BUCKETS,
            registry=self.registry,
        )
        self.operations = self._counter(names.BATCH_OPERATIONS)
        self.registered = self._counter(names.BATCHES_REGISTERED)
        self.ended = self._counter(names.BATCHES_ENDED)
        self._lag = self._gauge(names.PROCESS_LAG_SECONDS)
        self._members = self._gauge(names.PROCESS_MEMBERS)
        self._healthy = self._gauge(names.HEALTHY)
        self._ready = self._gauge(names.API_READY)
        self._held = self._gauge(names.API_HELD_BATCHES)
        self._readable = self._gauge(names.API_PROJECTION_READABLE)
        self.streams = Gauge(
            names.API_STREAMS,
            names.HELP[names.API_STREAMS],
            namespace=names.namespace(names.API_STREAMS),
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        """Open streams; those of all workers are added up."""
        self.streams_ended = self._counter(names.API_STREAMS_ENDED)
        for status in sorted(_ENDED):
            self.ended.labels(status)

    def record(self, record: LogRecord) -> None:
        """Count a record of the Kafka log."""
        if record.partition.topic is not Topic.HISTORY or record.value is None:
            return
        if self._counts_log is not None and not self._counts_log.won():
            return
        try:
            history = _decode_changes(record.value)
        except msgspec.MsgspecError:
            return
        for change in history.changes:
            if change.phase:
                continue
            if change.before is None:
                self.registered.inc()
            if change.after in _ENDED:
                self.ended.labels(change.after).inc()

    def health(self, report: ServiceHealthReport, *, ready: bool, held: int, readable: bool) -> None:
        """Set the gauges from a health report."""
        for state in report.processes:
            self._lag.labels(state.process).set(state.behind_s)
            self._members.labels(state.process).set(state.members)
        self._healthy.set(report.healthy)
        self._ready.set(ready)
        self._held.set(held)
        self._readable.set(readable)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for all workers, in the OpenMetrics format if `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        registry = self.registry
        if self._several:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return encode(registry), content_type

    def _counter(self, name: str) -> Counter:
        return Counter(
            name,
            names.HELP[name],
            names.LABELS.get(name, ()),
            namespace=names.namespace(name),
            registry=self.registry,
        )

    def _gauge(self, name: str) -> Gauge:
        return Gauge(
            name,
            names.HELP[name],
            names.LABELS.get(name, ()),
            namespace=names.namespace(name),
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )


class _Election:
    """Elects the one worker that counts batches, by a file lock that is released when its process ends."""

    def __init__(self, directory: Path) -> None:
        self._file: Any = (directory / "counts-the-log.lock").open("w")
        self._won = False

    def won(self) -> bool:
        """Whether this worker counts."""
        if not self._won:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self._won = True
        return True
