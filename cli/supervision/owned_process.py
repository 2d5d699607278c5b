"""A process that lives exactly as long as its owner wants, and never longer than its owner."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LOG_BYTES = 10_000_000
_KEEPER = Path(__file__).parent / "watchdog.py"
_KEEPER_SECONDS = 60.0
"""What the keeper may need beyond the grace on a busy machine; a bound for failing."""


class OwnedProcess:
    """One run of a command under a keeper, which ends it with its owner, also when that one is killed.

    Output goes to `log_path`, appended; at `log_bytes` it is renamed, and two such files are kept. `grace` is the
    seconds between SIGTERM and SIGKILL at a stop. `remove` is a folder to delete where the owner vanishes without a
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
        keeper = [sys.executable, "-I", "-S", str(_KEEPER)]
        keeper += [str(grace), str(remove or ""), str(log_path.absolute()), str(log_bytes)]
        with log_path.open("ab") as log:
            # A session of its own: Ctrl-C in a terminal reaches the owner, which stops in order.
            self._keeper = subprocess.Popen(
                [*keeper, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        self._keeper.stdout.close()
        self._grace = grace
        self._pid = int(line) if line else 0

    @property
    def pid(self) -> int:
        """Id of the process itself, 0 when it does not run or could not be started."""
        return self._pid if self.running else 0

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._keeper.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code, or 128 + the signal that ended it. Raises `subprocess.TimeoutExpired`."""
        code = self._keeper.wait(timeout)
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing where it has ended."""
        if self.pid:
            os.kill(self._pid, number)

    def stop(self) -> int:
        """End it in order: SIGTERM, and SIGKILL after the grace; its exit code."""
        assert self._keeper.stdin is not None
        try:
            if not self._keeper.stdin.closed:
                self._keeper.stdin.write(b"stop")
                self._keeper.stdin.close()
        except (BrokenPipeError, ValueError):
            pass  # it ended by itself
        return self._keeper.wait(self._grace + _KEEPER_SECONDS)
