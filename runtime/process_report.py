"""Each process writes reports about itself to a topic, from its own thread; health is derived from these reports.

Reporting never disturbs the work: it has its own producer, it raises no errors, and reports are dropped while Kafka is
unavailable. A process that cannot report counts as missing.
"""

import hashlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import ClassVar, Optional, Self
from uuid import uuid4

import msgspec

from runtime import exit_codes
from runtime.health import ProcessHealthReport
from runtime.kafka.report_producer import KafkaReportProducer, ReportProducer
from runtime.logs import get_logger
from runtime.metrics import build_info
from runtime.settings import Settings
from schemas.errors import Code
from schemas.internal.formats import PROCESS
from schemas.internal.processes import ProcessProblem, ProcessRecord, ProcessState
from schemas.internal.records import process_outgoing
from schemas.topics import Topic

_CHECK_S = 0.5
"""Seconds between two checks of the process's health: a change is reported at once."""
_LAST_RECORD_S = 4.0
"""Seconds to wait for the last record at a stop: a process whose last record is lost counts as missing."""
_MOST_POSITIONS = 2_000
"""Assigned partitions whose positions are reported; the record has to fit its topic."""
_OWN_TO_A_PROCESS = {
    *("service_name", "log_level", "log_format", "environment", "instance", "state_dir", "timekeeper_dir"),
    *("metrics_host", "metrics_port", "kafka_bootstrap_servers"),
}
_MAY_HOLD_SECRETS = {"kafka_sasl_username", "kafka_sasl_password", "kafka_extra", "projection_url"}

_logger = get_logger("runtime.process_report")


class ProcessReporter:
    """Reports one process while its context lasts.

    `report` is called in the reporter's thread. If the block ends with an error, the last record contains it.
    `ready` is called once, in that thread, when the process is assigned and its state restored.
    """

    _of_this_process: ClassVar[Optional["ProcessReporter"]] = None

    def __init__(
        self,
        kind: str,
        settings: Settings,
        report: Callable[[], ProcessHealthReport],
        *,
        producer: ReportProducer | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._report = report
        self._ready: Callable[[], None] | None = ready
        self._interval_s = settings.report_interval_s
        self._producer = producer or KafkaReportProducer(
            settings.kafka(),
            settings.topics().name(Topic.PROCESSES),
            delivery_s=max(_LAST_RECORD_S, 2 * settings.report_interval_s),
            on_result=self._written,
            on_append=self._appended,
        )
        self.on_append: Callable[[int], None] = lambda _time_ms: None
        """Called, in the reporter's thread, with the broker's append time (Unix milliseconds) of each report."""
        self._first = ProcessRecord(
            writer=PROCESS.version,
            least_reader=PROCESS.least_reader,
            kind=kind,
            instance=settings.instance,
            start_id=str(uuid4()),
            state=ProcessState.RUNNING,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=build_info()["version"],
            settings_digest=settings_digest(settings),
            started_ms=_now_ms(),
            time_ms=0,
            interval_s=settings.report_interval_s,
        )
        self._ends_with = ProcessState.STOPPED, tuple[ProcessProblem, ...]()
        self._fault: str | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="process-report", daemon=True)

    @property
    def name(self) -> str:
        """Key of this process's records: kind and instance."""
        return self._first.name

    @property
    def start_id(self) -> str:
        """Tells this start of the process from others of the same name."""
        return self._first.start_id

    def __enter__(self) -> Self:
        self._thread.start()
        ProcessReporter._of_this_process = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ProcessReporter._of_this_process = None
        self.end(error, _LAST_RECORD_S + _CHECK_S + 1)

    @classmethod
    def tell_end(cls, error: BaseException, seconds: float) -> None:
        """Write the last record of this process, which ends without leaving any context; wait for at most `seconds`."""
        if cls._of_this_process is not None:
            cls._of_this_process.end(error, seconds)

    def end(self, error: BaseException | None, seconds: float) -> None:
        """Write the last record, which contains `error`; wait for at most `seconds`."""
        if error is not None:
            self._ends_with = ProcessState.FAILED, (_problem(error),)
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        reported: object = None
        due = time.monotonic()
        while not self._stopping.is_set():
            try:
                record = self._record()
                state = _changes(record)
                if state != reported or time.monotonic() >= due:
                    reported, due = state, time.monotonic() + self._interval_s
                    self._send(record)
                if self._ready is not None and record.assigned and record.restored:
                    ready, self._ready = self._ready, None
                    ready()
            except Exception:
                _logger.exception("process_report_failed")
            self._stopping.wait(min(_CHECK_S, self._interval_s))
        state, problems = self._ends_with
        last = msgspec.structs.replace(self._first, state=state, problems=problems, time_ms=_now_ms())
        outgoing = process_outgoing(last)
        assert outgoing.value is not None
        self._producer.close(outgoing.key, outgoing.value, _LAST_RECORD_S)

    def _record(self) -> ProcessRecord:
        report = self._report()
        return msgspec.structs.replace(
            self._first,
            time_ms=_now_ms(),
            alive=report.alive,
            assigned=report.assigned,
            restored=report.restored,
            restored_percent=report.restored_percent,
            partitions=report.partitions,
            lag_s=report.lag_seconds,
            problems=report.problems,
            open_transactions=report.open_transactions,
            positions=report.positions[:_MOST_POSITIONS],
            gate_ms=report.gate_ms,
        )

    def _send(self, record: ProcessRecord) -> None:
        outgoing = process_outgoing(record)
        assert outgoing.value is not None
        self._producer.send(outgoing.key, outgoing.value)

    def _appended(self, time_ms: int) -> None:
        self.on_append(time_ms)

    def _written(self, fault: str | None) -> None:
        if fault is not None and self._fault is None and not self._stopping.is_set():
            _logger.warning("process_report_not_written", reason=fault)
        elif fault is None and self._fault is not None:
            _logger.info("process_report_written_again")
        self._fault = fault


def settings_digest(settings: Settings) -> str:
    """Return a digest of the settings that processes share, without secrets, addresses and a process's own settings."""
    shared = set(Settings.model_fields) - _OWN_TO_A_PROCESS - _MAY_HOLD_SECRETS
    chosen = {name: str(getattr(settings, name)) for name in sorted(shared)}
    if settings.pipelines_file is not None:
        chosen["pipelines_file"] = _content_digest(settings.pipelines_file)
    return hashlib.sha256(msgspec.json.encode(chosen)).hexdigest()


def _content_digest(file: Path) -> str:
    """Return what a file holds as a digest: the same file may have another path on another host."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"


def _changes(record: ProcessRecord) -> object:
    """Return the part of a report whose change is reported at once."""
    codes = tuple(problem.code for problem in record.problems)
    transactions = tuple((one.topic, one.partition, one.offset) for one in record.open_transactions)
    return record.alive, record.assigned, record.restored, record.partitions, codes, transactions


def _problem(error: BaseException) -> ProcessProblem:
    known = exit_codes.known_error(error)
    if known is None:
        # The error's text may hold secrets, such as a URL with a password; the log has it.
        return ProcessProblem(Code.INTERNAL, f"{type(error).__name__}.", "Read the process's log.")
    return ProcessProblem(known.code, known.message[:1_000], known.next_step[:1_000])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
