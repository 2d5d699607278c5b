"""Metrics of the api: HTTP, operations, what the log says about batches, and how far behind everything is.

With one worker there is one registry. With several, prometheus_client's multiprocess mode adds up the HTTP metrics
of all of them (`runs_as_one_of_several`); what the log says is counted by one worker alone, because each of them
reads all of it. Replicas count the log each for itself: take the maximum over them, not the sum.
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

from api.kafka_log.consumer import LogRecord
from api.monitoring.service_health import ServiceHealthReport
from schemas.internal.dead_letters import CODE
from schemas.internal.enums import BatchStatus, Disposition
from schemas.topics import Topic

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_ENDED = frozenset(status.value for status in BatchStatus if status.terminal)


class _Change(Struct):
    after: str
    phase: str = ""
    before: str | None = None


class _Glance(Struct):
    """As much of a history record as the metrics need."""

    disposition: Disposition
    changes: tuple[_Change, ...] = ()


_glance = msgspec.json.Decoder(_Glance).decode


class ApiMetrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        directory = os.environ.get(MULTIPROCESS_VARIABLE)
        self._several = directory is not None
        self._counts_log = _Election(Path(directory)) if directory else None
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter(
            "http_requests", "HTTP requests.", ("method", "endpoint", "status_code"), registry=registry
        )
        """`endpoint` is the route's template, never a path with an id in it."""
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from an HTTP request to the end of its answer.",
            ("method", "endpoint"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.operations = Counter(
            "batch_operations", "Operations on batches, by result.", ("operation", "status"), registry=registry
        )
        self.dispositions = Counter(
            "batch_orchestrator_dispositions",
            "Inbox records decided, by disposition.",
            ("disposition",),
            registry=registry,
        )
        self.registered = Counter("batch_orchestrator_batches_registered", "Batches that began.", registry=registry)
        self.ended = Counter(
            "batch_orchestrator_batches_ended", "Batches that ended, by final status.", ("status",), registry=registry
        )
        self.dead_letters = Counter(
            "batch_orchestrator_dead_letters",
            "Records that became dead letters, by code.",
            ("code",),
            registry=registry,
        )
        self._lag = self._gauge("batch_orchestrator_process_lag_seconds", "Seconds behind, by process.", "process")
        self._members = self._gauge("batch_orchestrator_process_members", "Running members, by process.", "process")
        self._well = self._gauge("batch_orchestrator_healthy", "1 while /healthz answers 200.")
        self._ready = self._gauge("batch_orchestrator_api_ready", "1 while registrations are accepted.")
        self._held = self._gauge("batch_orchestrator_api_held_batches", "Batches newer than the projection.")
        for status in sorted(_ENDED):
            self.ended.labels(status)
        for disposition in Disposition:
            self.dispositions.labels(disposition.value)

    def record(self, record: LogRecord) -> None:
        """Count a record of the log."""
        if record.partition.topic not in (Topic.HISTORY, Topic.DEAD_LETTERS) or record.value is None:
            return
        if self._counts_log is not None and not self._counts_log.won():
            return
        if record.partition.topic is Topic.DEAD_LETTERS:
            if CODE in record.headers:
                self.dead_letters.labels(_code(record.headers[CODE])).inc()
            return
        try:
            glance = _glance(record.value)
        except msgspec.MsgspecError:
            return
        self.dispositions.labels(glance.disposition.value).inc()
        for change in glance.changes:
            if change.phase:
                continue
            if change.before is None:
                self.registered.inc()
            if change.after in _ENDED:
                self.ended.labels(change.after).inc()

    def health(self, report: ServiceHealthReport, *, ready: bool, held: int) -> None:
        """Show the state of the whole."""
        for state in report.processes:
            self._lag.labels(state.process).set(state.behind_s)
            self._members.labels(state.process).set(state.members)
        self._well.set(report.well)
        self._ready.set(ready)
        self._held.set(held)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type: OpenMetrics where `accept` asks for it, for all workers."""
        encode, content_type = choose_encoder(accept)
        registry = self.registry
        if self._several:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return encode(registry), content_type

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode="mostrecent")


class _Election:
    """Makes one worker of several the one that counts the log; the lock goes with its process."""

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


def _code(header: bytes) -> str:
    """Return the code as a label; a foreign text must not make series without bound."""
    code = header.decode(errors="replace")
    return code if code.startswith("ORC-") and len(code) <= 40 else "other"
