"""Serving the application with uvicorn: one worker in this process, or several child processes."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from threading import Thread
from typing import Any, Protocol, cast

from fastapi import FastAPI
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from api.access.check import check_access
from api.http_protocol import BoundedHeadProtocol
from api.kafka_log.consumer import KafkaLogConsumer
from api.monitoring.metrics import MULTIPROCESS_VARIABLE
from api.settings import ApiSettings
from runtime import exit_codes
from runtime.addresses import BACKLOG, listen, shown_address
from runtime.logs import configure_logging, get_logger
from runtime.process import Process, run_process
from schemas.errors import Code, ConfigurationError, OrchestratorError
from state.projection import open_engine


class _QuietServer(Server):
    """Sets no signal handlers, because `runtime.shutdown` handles signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Set no handlers."""
        yield


class CreateApp(Protocol):
    """Creates the application of one worker."""

    def __call__(self, settings: ApiSettings, *, on_failure: Callable[[Exception], None]) -> FastAPI:
        """Return the application; `on_failure` is called when the worker cannot go on."""


def run_workers(settings: ApiSettings, create_app: CreateApp) -> int:
    """Serve until a signal comes, and return the exit code."""
    return run_process("api", settings, partial(_work, settings, create_app), metrics_port=False)


def _work(settings: ApiSettings, create_app: CreateApp, process: Process) -> None:
    _check(settings)
    with listening(settings) as listener:
        address = listener.getsockname()
        process.log.info("listening", host=address[0], port=address[1], workers=settings.web_concurrency)
        if settings.open_to_network and not settings.access_controlled:
            process.log.warning("open_to_network", advice="Anyone who reaches this address sees and controls batches.")
        if settings.web_concurrency == 1:
            _run_one(settings, create_app, process, listener)
        else:
            _run_several(settings, create_app, process, listener)


def _check(settings: ApiSettings) -> None:
    """Fail with a clear message if access is not controlled, or if the cluster, a topic or the database is missing.

    A worker would only wait for these.
    """
    check_access(settings)
    open_engine(settings.projection_url).dispose()
    log = KafkaLogConsumer(settings.kafka(), settings.topics(), settings.max_dead_letter_bytes)
    try:
        log.reach()
    finally:
        log.close()


def listening(settings: ApiSettings) -> socket.socket:
    """Return the socket that the settings ask for. Raises `ConfigurationError` where it cannot be had (`ORC-PORT`)."""
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        raise ConfigurationError(
            f"The port cannot be opened at {shown_address(settings.host, settings.port)}: {error.strerror or error}.",
            next_step="Set PORT (and HOST) to a free address, or end the process that uses it.",
            code=Code.PORT,
        ) from error


def _config(settings: ApiSettings, app: FastAPI | Callable[[], FastAPI]) -> Config:
    return Config(
        app,
        factory=not isinstance(app, FastAPI),
        http=cast("Any", partial(BoundedHeadProtocol, head_timeout_s=settings.body_timeout_s)),
        workers=settings.web_concurrency,
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_timeout_s,
        timeout_graceful_shutdown=settings.graceful_timeout_s,
    )


def _run_one(settings: ApiSettings, create_app: CreateApp, process: Process, listener: socket.socket) -> None:
    def stop() -> None:
        server.should_exit = True

    def fail(error: Exception) -> None:
        process.exit_code = exit_codes.exit_code(error)
        stop()

    server = _QuietServer(_config(settings, create_app(settings, on_failure=fail)))
    process.shutdown.runs(stop)
    server.run(sockets=[listener])
    if not server.started and not process.shutdown.asked.is_set():
        raise OrchestratorError(
            "The api did not start.", next_step="Read the traceback in the log above, and report it."
        )


def _run_several(settings: ApiSettings, create_app: CreateApp, process: Process, listener: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix="bos-api-metrics-") as directory:
        os.environ[MULTIPROCESS_VARIABLE] = directory
        try:
            workers = Multiprocess(_config(settings, partial(_worker, settings, create_app)), [listener])
            process.shutdown.runs(workers.should_exit.set)
            workers.run()
        finally:
            del os.environ[MULTIPROCESS_VARIABLE]


def _worker(settings: ApiSettings, create_app: CreateApp) -> FastAPI:
    """Create the application in a child process; if it cannot go on, the parent starts another one."""
    configure_logging(settings, "api")
    Thread(target=_end_with_parent, name="parent", daemon=True).start()

    def fail(error: Exception) -> None:
        get_logger("api").error("worker_ends", error=str(error))
        signal.raise_signal(signal.SIGTERM)

    return create_app(settings, on_failure=fail)


def _end_with_parent() -> None:
    """Stop in order if the parent was killed, because the next parent needs the port."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
