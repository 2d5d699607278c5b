"""Runs one command exactly as long as its owner lives; a script of its own, of the standard library alone.

    watchdog.py GRACE_SECONDS REMOVE COMMAND...

Prints the command's process id. It stops the command (SIGTERM, then SIGKILL after the grace) when `stop` or the end of
its standard input arrives: the system closes that pipe however the owner ends. Without `stop` the owner is gone,
and nobody else would remove its temporary folder: REMOVE (empty: none) is deleted then.
The command itself dies with the keeper on Linux. The command's output goes to the keeper's standard error.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# A process that the owner forked can hold the pipe open: the parent's id is the second sign of the owner's end.
_LOOK_AT_PARENT_SECONDS = 0.5


def _die_with_keeper() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # preexec_fn is safe here: the keeper has one thread. Descriptors stay open: the owner chose which are inherited,
    # and a lock among them must be held for as long as the command runs.
    before = _die_with_keeper if sys.platform == "linux" else None
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        preexec_fn=before,  # noqa: PLW1509
        close_fds=False,
    )


def _wake_up_pipe() -> int:
    """The read end of a pipe into which the numbers of arriving signals are written."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader


def _await_end(child: subprocess.Popen[bytes], signals: int) -> bool:
    """Wait until the child ended, or should; whether the owner vanished."""
    owner = os.getppid()
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno(), signals], [], [], _LOOK_AT_PARENT_SECONDS)
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


def main(grace: str, remove: str, *command: str) -> int:
    """Run and keep the command; its exit code, or 128 + the signal that ended it."""
    signals = _wake_up_pipe()
    child = _start(list(command))
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    vanished = _await_end(child, signals)
    _end(child, float(grace))
    if vanished and remove:
        shutil.rmtree(remove, ignore_errors=True)
        parent = Path(remove).parent
        if not any(parent.iterdir()):
            parent.rmdir()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
