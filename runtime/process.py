"""The frame of every process: logs, metrics port and signals; an error becomes one message and an exit code."""

import sys
from collections.abc import Callable
from contextlib import ExitStack

import structlog

from runtime import exit_codes
from runtime.garbage import settle
from runtime.health import ProcessHealth
from runtime.kafka.errors import outage
from runtime.kafka.twins import twin_reports
from runtime.logs import configure_logging, get_logger
from runtime.metrics import Metrics
from runtime.metrics_server import MetricsServer
from runtime.process_report import ProcessReporter
from runtime.settings import Settings
from runtime.settings_loading import check, ignored_variables
from runtime.shutdown import Shutdown
from schemas.errors import OrchestratorError
from schemas.topics import Topic

_TWIN_WAIT_S = 6.0
"""Patience with the second report of a process of the same name: two intervals."""


class Process:
    """The services that the work of a process uses."""

    def __init__(self, name: str, settings: Settings, shutdown: Shutdown) -> None:
        self.name = name
        """`router`, `orchestrator`, `projector`, `timekeeper` or `api`."""
        self.settings = settings
        self.shutdown = shutdown
        self.metrics = Metrics(name)
        self.health = ProcessHealth(name, max_lag_s=settings.max_lag_s)
        self.log: structlog.stdlib.BoundLogger = get_logger(name)
        self.reporter: ProcessReporter | None = None
        """Reports this process; None where the process reports itself."""
        self.metrics.watch(self.health)

    @property
    def exit_code(self) -> int:
        """Exit code of the process when its work returns."""
        return self.shutdown.exit_code

    @exit_code.setter
    def exit_code(self, code: int) -> None:
        self.shutdown.exit_code = code

    def twin_reports(self) -> bool:
        """Return whether another process of this kind runs with the same INSTANCE, as far as its reports tell."""
        if self.reporter is None:
            return False
        topic = self.settings.topics().name(Topic.PROCESSES)
        return twin_reports(
            self.settings.kafka(), topic, self.reporter.name, self.reporter.start_id, wait_s=_TWIN_WAIT_S
        )

    def restart(self, reason: str) -> None:
        """End in order, with the exit code that requests a restart."""
        self.log.warning("restart_needed", reason=reason)
        self.exit_code = exit_codes.RESTART
        self.shutdown.ask()


def run_process(name: str, settings: Settings, work: Callable[[Process], None], *, metrics_port: bool = True) -> int:
    """Run `work` in the main thread until it returns or fails, and return the exit code.

    `metrics_port` is False for a process that serves its metrics and health, and writes its reports, by itself.

    An error is one message on stderr: its code, what is wrong and the next step. An unexpected error is
    `ORC-INTERNAL`, with its traceback in the log.
    """
    configure_logging(settings, name)
    for variable, advice in ignored_variables().items():
        get_logger(name).warning("setting_ignored", variable=variable, advice=advice)
    try:
        with ExitStack() as stack:
            check(settings)
            process = Process(name, settings, stack.enter_context(Shutdown(settings.stop_timeout_s)))
            if metrics_port and settings.metrics_port:
                stack.enter_context(
                    MetricsServer(
                        process.metrics, process.health, host=settings.metrics_host, port=settings.metrics_port
                    )
                )
            if metrics_port:
                process.reporter = stack.enter_context(
                    ProcessReporter(name, settings, process.health.report, ready=settle)
                )
            process.log.info("starting")
            work(process)
            process.log.info("stopped", exit_code=process.exit_code)
            return process.exit_code
    except KeyboardInterrupt:
        return exit_codes.FAULT
    except Exception as error:  # noqa: BLE001  (every error becomes a message and an exit code)
        return _report(name, settings, error)


def _report(name: str, settings: Settings, error: Exception) -> int:
    known = exit_codes.known_error(error)
    if known is None:
        known = outage(error, address=settings.kafka_bootstrap_servers)
    if known is None:
        get_logger(name).error("failed", exc_info=error)
        known = OrchestratorError(
            f"{type(error).__name__}: {error}", next_step="Read the traceback in the log above, and report it."
        )
    code = exit_codes.exit_code(known)
    get_logger(name).error("ended", code=known.code, reason=known.message, exit_code=code)
    sys.stderr.write(f"{name}: {known}\n")
    sys.stderr.flush()
    return code
