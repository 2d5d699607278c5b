"""A process that its owner can stop at any time, and that never outlives its owner."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LOG_BYTES = 10_000_000
_WATCHDOG = Path(__file__).parent / "watchdog.py"
_WATCHDOG_SECONDS = 60.0
"""Seconds that the watchdog may take beyond the grace on a busy machine, before it counts as failed."""


class OwnedProcess:
    """One run of a command under a watchdog, which ends it when its owner ends or is killed.

    Output is appended to `log_path`; at `log_bytes` the file is renamed, and two old files are kept. `grace` is the
    number of seconds between SIGTERM and SIGKILL at a stop. `remove` is a folder to delete if the owner ends without a
    stop. `pass_fds` are descriptors that the command inherits.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        grace: float = 10.0,
        remove: Path | None = None,
        pass_fds: Sequence[int] = (),
        log_bytes: int = _LOG_BYTES,
    ) -> None:
        watchdog = [sys.executable, "-I", "-S", str(_WATCHDOG)]
        watchdog += [str(grace), str(remove or ""), str(log_path.absolute()), str(log_bytes)]
        with log_path.open("ab") as log:
            # A separate session: Ctrl-C in a terminal reaches only the owner, which stops the process in order.
            self._watchdog = subprocess.Popen(
                [*watchdog, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        assert self._watchdog.stdout is not None
        line = self._watchdog.stdout.readline()
        self._watchdog.stdout.close()
        self._grace = grace
        self._pid = int(line) if line else 0

    @property
    def pid(self) -> int:
        """Id of the process; 0 if it does not run or could not be started."""
        return self._pid if self.running else 0

    @property
    def running(self) -> bool:
        """Whether the process exists, paused or not."""
        return self._watchdog.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code, or 128 + the signal. Raises `subprocess.TimeoutExpired`."""
        code = self._watchdog.wait(timeout)
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if self.pid:
            os.kill(self._pid, number)

    def stop(self) -> int:
        """Stop it with SIGTERM, and SIGKILL after the grace; return its exit code."""
        assert self._watchdog.stdin is not None
        try:
            if not self._watchdog.stdin.closed:
                self._watchdog.stdin.write(b"stop")
                self._watchdog.stdin.close()
        except (BrokenPipeError, ValueError):
            pass  # it ended by itself
        return self._watchdog.wait(self._grace + _WATCHDOG_SECONDS)
