"""The supervisor: it starts a set of processes, restarts those that end, and stops all in order."""

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.supervision.log_tail import last_lines
from cli.supervision.owned_process import OwnedProcess
from schemas.errors import Code, OrchestratorError

_GOOD_RUN_SECONDS = 10.0
_PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Seconds before the next start: after a good run, after the first quick end that follows, and so on."""
_QUOTED_LINES = 12
_CONFIGURATION_EXIT_CODE = 78
_PORT_SECONDS = 30.0
"""How long a port is waited for that a process has never had: what a killed supervisor left may still hold it."""


class ProcessFailed(OrchestratorError):
    """A supervised process cannot be kept running."""

    code = Code.PROCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process to supervise: its name, which its log file has too, its command and its environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs the specified processes while its context lasts.

    A process that ends is restarted with the same name, identity and directory: at once after a good run, and after
    pauses that grow to five seconds while it ends within ten seconds of its start. A process that exits because of
    wrong settings is given up; the others go on, and `failure` holds the reason.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        log_directory: Path,
        on_event: Callable[[str], None] = lambda _: None,
        port_seconds: float = _PORT_SECONDS,
    ) -> None:
        self._port_seconds = port_seconds
        self._specs = {spec.name: spec for spec in specs}
        self.log_directory = log_directory
        self._on_event = on_event
        self._running: dict[str, OwnedProcess] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._leaving: set[str] = set()
        self._changed = threading.Condition()
        self.restarts: dict[str, int] = dict.fromkeys(self._specs, 0)
        """Number of restarts of each process."""
        self.failure: ProcessFailed | None = None
        """Why the first process that was given up cannot run; None if none was."""
        self._given_up: dict[str, ProcessFailed] = {}
        self._had_port: set[str] = set()

    def __enter__(self) -> Self:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        for name in self._specs:
            self.start(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ThreadPoolExecutor(len(self._specs)) as pool:
            list(pool.map(self.leave, self._specs))

    def add(self, spec: ProcessSpec) -> None:
        """Supervise one more process."""
        self._specs[spec.name] = spec
        self.restarts.setdefault(spec.name, 0)
        self.start(spec.name)

    def start(self, name: str) -> None:
        """Start to supervise the process `name`."""
        self._leaving.discard(name)
        self._given_up.pop(name, None)
        thread = threading.Thread(target=self._keep, args=(self._specs[name],), name=f"keep-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def leave(self, name: str) -> None:
        """Stop the process `name` in order, and do not restart it."""
        with self._changed:
            self._leaving.add(name)
            process = self._running.get(name)
            self._changed.notify_all()
        if process is not None:
            process.stop()
        self._threads[name].join()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, patience_s: float = 300.0) -> int:
        """Send a signal to the process `name`, as a fault would, once it runs; return its process id.

        Raises `ProcessFailed` where it does not run within `patience_s` seconds, or was given up.
        """
        with self._changed:
            self._changed.wait_for(lambda: name in self._running or name in self._given_up, timeout=patience_s)
            process = self._running.get(name)
        if process is None:
            raise self._given_up.get(name) or ProcessFailed(
                f"{name} does not run, so no signal can be sent to it.", next_step=f"Read {self.log_path(name)}."
            )
        pid = process.pid
        process.signal(number)
        return pid

    def pid(self, name: str) -> int:
        """Return the process id of `name`; 0 while it does not run."""
        with self._changed:
            process = self._running.get(name)
        return 0 if process is None else process.pid

    def log_path(self, name: str) -> Path:
        """Return the path of the log of `name`."""
        return self.log_directory / f"{name}.log"

    def check(self) -> None:
        """Raise `ProcessFailed` if a process was given up."""
        if self.failure is not None:
            raise self.failure

    @property
    def hopeless(self) -> bool:
        """Whether every process was given up."""
        return self._given_up.keys() == self._specs.keys()

    def _keep(self, spec: ProcessSpec) -> None:
        quick_ends = 0
        port_until = time.monotonic() + self._port_seconds
        while True:
            started = time.monotonic()
            ended = self._run_once(spec, port_until)
            if ended is None:
                return
            quick_ends = quick_ends + 1 if time.monotonic() - started < _GOOD_RUN_SECONDS else 0
            pause = _PAUSES_SECONDS[min(max(0, quick_ends - 1), len(_PAUSES_SECONDS) - 1)]
            self.restarts[spec.name] += 1
            self._on_event(f"{spec.name} {ended}; starting it again" + (f" in {pause:g} s" if pause else ""))
            with self._changed:
                self._changed.wait_for(lambda: spec.name in self._leaving, timeout=pause)

    def _run_once(self, spec: ProcessSpec, port_until: float) -> str | None:
        """Run a process until it ends, and return how it did; None where it is not to be started again.

        `port_until` is the time up to which a port is waited for that it has never had.
        """
        try:
            with self._changed:
                if spec.name in self._leaving:
                    return None
                process = OwnedProcess(
                    spec.command, log_path=self.log_path(spec.name), environment=spec.environment, grace=15.0
                )
                self._running[spec.name] = process
                self._changed.notify_all()
        except OSError as error:  # too many processes, no memory, a log that cannot be opened: all of that can pass
            return f"could not be started ({error})"
        code = process.wait()
        with self._changed:
            del self._running[spec.name]
            if spec.name in self._leaving:
                return None
        port_is_held = code == _CONFIGURATION_EXIT_CODE and any(
            Code.PORT in line for line in self._last_lines(spec.name)
        )
        if not port_is_held:
            self._had_port.add(spec.name)
        elif spec.name in self._had_port or time.monotonic() < port_until:
            return "found its port held by another process"
        if code == _CONFIGURATION_EXIT_CODE:
            self._give_up(spec.name, code)
            return None
        return f"ended with {code}"

    def _last_lines(self, name: str) -> list[str]:
        return last_lines(self.log_path(name), _QUOTED_LINES)

    def _give_up(self, name: str, code: int) -> None:
        quoted = "\n".join(f"    {line}" for line in self._last_lines(name))
        failure = ProcessFailed(
            f"{name} cannot work with its settings (exit code {code}) and is not restarted. The end of its log:\n"
            f"{quoted}\n",
            next_step=f"Read {self.log_path(name)}; its error message names the cause and a next step.",
        )
        with self._changed:
            self.failure = self.failure or failure
            self._given_up[name] = failure
            self._changed.notify_all()
        self._on_event(str(failure))
