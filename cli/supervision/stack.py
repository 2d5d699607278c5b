"""The stack: all processes of the product on one machine, with their settings, under one supervisor."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.supervision.ports import free_port
from cli.supervision.supervisor import ProcessFailed, ProcessSpec, Supervisor
from runtime.directory_lock import DirectoryInUse, DirectoryLock
from runtime.settings import ENV_PREFIX, Settings
from runtime.settings_loading import load_settings
from state.projection import open_engine, sqlite_url
from topology.topics import provisioning

_READY_SECONDS = 180.0
_POLL_SECONDS = 0.1
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""HTTP client for the apis on this machine, without a proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """Options of a stack."""

    bootstrap_servers: str
    """Addresses of the Kafka brokers, with commas between them."""
    directory: Path
    """Directory of state, projection and logs."""
    orchestrators: int = 1
    """Number of orchestrators."""
    api_port: int = 0
    """Port of the first api; 0 for a free one."""
    apis: int = 1
    """Number of api replicas, each on its own port."""
    create_peer_topics: bool = True
    """Whether peers' topics are created too; for development clusters."""
    provision: bool = True
    """Whether missing topics are created; otherwise every process checks them at its start."""
    projection_url: str = ""
    """SQLAlchemy URL of the projection database; empty for a file in `directory`."""
    wait_ready: bool = True
    """Whether entering waits until the product is healthy, and fails on a timeout."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings, by their names without the prefix."""
    orchestrator_settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of the orchestrators alone."""


class Stack:
    """Router, orchestrators, projector, timekeeper and api, kept running; a context manager."""

    def __init__(self, options: StackOptions, *, on_event: Callable[[str], None] = lambda _: None) -> None:
        self.options = options
        self.directory = options.directory.absolute()
        self._lock = DirectoryLock(self.directory)
        self.api_ports = [options.api_port or free_port() for _ in range(options.apis)]
        self.metrics_ports: dict[str, int] = {}
        self.supervisor = Supervisor(self._specs(), log_directory=self.directory / "logs", on_event=on_event)

    @property
    def api_url(self) -> str:
        """Address of the first api."""
        return self.api_urls[0]

    @property
    def api_urls(self) -> list[str]:
        """Addresses of all apis."""
        return [f"http://127.0.0.1:{port}" for port in self.api_ports]

    @property
    def settings(self) -> Settings:
        """The settings that the processes share. Raises `ConfigurationError`."""
        names: dict[str, Any] = {name.lower(): value for name, value in self._shared().items()}
        return load_settings(**names)

    def __enter__(self) -> Self:
        open_engine(self.settings.projection_url).dispose()  # reports a URL that no process can use
        self._take_lock()
        try:
            if self.options.provision:
                provisioning.apply(self.settings, create_peer_topics=self.options.create_peer_topics)
            self.supervisor.__enter__()
            try:
                if self.options.wait_ready:
                    self.await_ready()
            except BaseException:
                self.supervisor.__exit__(*sys.exc_info())
                raise
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.supervisor.__exit__(kind, error, traceback)
        finally:
            self._lock.release()

    def _take_lock(self) -> None:
        """Lock the directory before anything is written: two stacks would share logs and the projection."""
        try:
            self._lock.acquire()
        except DirectoryInUse as error:
            raise ProcessFailed(
                f"The directory {error.path} is used by {error.holder}.",
                next_step="End that process, or give another directory.",
            ) from error
        except OSError as error:
            raise ProcessFailed(
                f"The directory {self.directory} cannot be written: {error.strerror}.",
                next_step="Give a directory that this user may write.",
            ) from error

    def await_ready(self, seconds: float | None = None) -> None:
        """Wait until every api reports the product as healthy. Raises `ProcessFailed` on a timeout.

        Without `seconds` that is three minutes, or longer where the settings give each process longer for its start.
        """
        seconds = max(_READY_SECONDS, self.settings.startup_timeout_s) if seconds is None else seconds
        deadline = time.monotonic() + seconds
        for url in self.api_urls:
            answer = ""
            while not (answer := health(url)).startswith("200"):
                self.supervisor.check()
                if time.monotonic() > deadline:
                    raise ProcessFailed(
                        f"Not healthy after {seconds:.0f} s: {answer or 'the api does not answer'}.",
                        next_step=f"Read the logs in {self.directory / 'logs'}.",
                    )
                time.sleep(_POLL_SECONDS)

    def orchestrator_spec(self, number: int) -> ProcessSpec:
        """Return the specification of orchestrator `number`, from 0; more can be added while others run."""
        return self._spec("orchestrator", number)

    def _specs(self) -> list[ProcessSpec]:
        specs = [self._spec("router", 0)]
        specs += [self._spec("orchestrator", number) for number in range(self.options.orchestrators)]
        specs += [self._spec("projector", 0), self._spec("timekeeper", 0)]
        specs += [self._spec("api", number) for number in range(self.options.apis)]
        return specs

    def _spec(self, role: str, number: int) -> ProcessSpec:
        name = role if role in ("router", "projector", "timekeeper") else f"{role}-{number}"
        own = {"INSTANCE": str(number)}
        if role == "api":
            own |= {"HOST": "127.0.0.1", "PORT": str(self.api_ports[number])}
        else:
            self.metrics_ports[name] = free_port()
            own["METRICS_PORT"] = str(self.metrics_ports[name])
        if role in ("orchestrator", "router"):
            own["STATE_DIR"] = str(self.directory / name)
        if role == "orchestrator":
            own |= self.options.orchestrator_settings
        if role == "timekeeper":
            own["TIMEKEEPER_DIR"] = str(self.directory / name)
        environment = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
        for key, value in {**self._shared(), **own}.items():
            # The _FILE variable is emptied: the value is passed on directly, and a setting may not come from both.
            environment |= {ENV_PREFIX + key: value, f"{ENV_PREFIX}{key}_FILE": ""}
        return ProcessSpec(name=name, command=(sys.executable, "-m", "cli.main", role), environment=environment)

    def _shared(self) -> dict[str, str]:
        shared = {
            "KAFKA_BOOTSTRAP_SERVERS": self.options.bootstrap_servers,
            "PROJECTION_URL": self.options.projection_url or sqlite_url(self.directory / "projection.db"),
        }
        if self.options.provision and f"{ENV_PREFIX}ROUTER_START" not in os.environ:
            shared["ROUTER_START"] = "earliest"  # the stack creates the topics, so all their records are meant for it
        return {**shared, **self.options.settings}


def health(url: str) -> str:
    """Return `STATUS BODY` of an api's health; empty if it does not answer."""
    try:
        with _DIRECT.open(f"{url}/healthz", timeout=5) as response:
            return f"{response.status} {response.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.read().decode(errors='replace')}"
    except (OSError, HTTPException):  # it does not run, or ended during its answer
        return ""
