"""Runs one command, and ends it when its owner ends; a script that uses only the standard library.

    watchdog.py GRACE_SECONDS REMOVE LOG LOG_BYTES COMMAND...

It prints the command's process id. It stops the command (SIGTERM, then SIGKILL after the grace) when it reads `stop` or
the end of its standard input, a pipe that the system closes however the owner ends. Without `stop` the owner has ended
and cannot remove its temporary folder, so REMOVE (empty: none) is deleted.
On Linux the command ends with the watchdog. Its output goes to the file LOG, which is renamed to LOG.1, and LOG.1 to
LOG.2, when it has grown to LOG_BYTES; a log takes at most three times that.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from threading import Thread

_PR_SET_PDEATHSIG = 1
_OLD_LOGS = 2
_LAST_OUTPUT_SECONDS = 10.0
# A process that the owner forked can hold the pipe open: the parent's id is the second sign of the owner's end.
_CHECK_PARENT_SECONDS = 0.5


def _die_with_watchdog() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # preexec_fn is safe here: the watchdog has one thread here. Descriptors stay open: the owner chose which are
    # inherited, and a lock among them must be held while the command runs.
    before = _die_with_watchdog if sys.platform == "linux" else None
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=before,  # noqa: PLW1509
        close_fds=False,
    )


class _RotatingLog:
    """A log file that is rotated at its size limit. On a full disk lines are lost, and the command goes on."""

    def __init__(self, path: Path, bound: int) -> None:
        self._path = path
        self._bound = bound

    def write_all(self, output: int) -> None:
        """Write the output of a pipe until it ends."""
        while data := os.read(output, 65_536):
            try:
                self._write(data)
            except OSError:
                continue

    def _write(self, data: bytes) -> None:
        with self._path.open("ab") as log:
            log.write(data)
            size = log.tell()
        if size >= self._bound:
            self._rotate()

    def _rotate(self) -> None:
        files = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, _OLD_LOGS + 1))]
        for newer, older in reversed(list(pairwise(files))):
            if newer.exists():
                newer.replace(older)


def _wake_up_pipe() -> int:
    """Return the read end of a pipe that receives the numbers of arriving signals."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader


def _await_end(child: subprocess.Popen[bytes], signals: int) -> bool:
    """Wait until the child has ended or must end; return whether the owner ended without a stop."""
    owner = os.getppid()
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno(), signals], [], [], _CHECK_PARENT_SECONDS)
        if sys.stdin.fileno() in readable:
            return os.read(sys.stdin.fileno(), 16) != b"stop"
        if signals in readable and set(os.read(signals, 64)) & {signal.SIGTERM, signal.SIGINT}:
            return False
        if os.getppid() != owner:
            return True
    return False


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGCONT)  # a paused process would not see SIGTERM
        child.terminate()
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()


def _await_last_output(logging: Thread, output: int) -> None:
    """Wait until the log is complete; children of the command can hold the pipe open."""
    deadline = time.monotonic() + _LAST_OUTPUT_SECONDS
    while logging.is_alive() and time.monotonic() < deadline:
        logging.join(_CHECK_PARENT_SECONDS)
        if logging.is_alive() and not select.select([output], [], [], 0)[0]:
            return


def main(grace: str, remove: str, log: str, log_bytes: str, *command: str) -> int:
    """Run the command; return its exit code, or 128 + the signal that ended it."""
    signals = _wake_up_pipe()
    child = _start(list(command))
    assert child.stdout is not None
    output = _RotatingLog(Path(log), int(log_bytes))
    logging = Thread(target=output.write_all, args=(child.stdout.fileno(),), daemon=True)
    logging.start()
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    vanished = _await_end(child, signals)
    _end(child, float(grace))
    _await_last_output(logging, child.stdout.fileno())
    if vanished and remove:
        shutil.rmtree(remove, ignore_errors=True)
        parent = Path(remove).parent
        if not any(parent.iterdir()):
            parent.rmdir()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
