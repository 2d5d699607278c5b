"""What a kept process inherits from its owner."""

import sys
from pathlib import Path

import psutil
import pytest

from cli.supervision.owned_process import OwnedProcess
from runtime.directory_lock import LOCK_FILE, DirectoryInUse, DirectoryLock


def test_a_lock_that_is_handed_on_is_held_for_as_long_as_the_command_runs(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    process = OwnedProcess(command, log_path=tmp_path / "log", pass_fds=[lock.descriptor])
    try:
        # The command itself, not its keeper alone: a command that outlives the keeper must hold the lock.
        assert str(tmp_path / LOCK_FILE) in [file.path for file in psutil.Process(process.pid).open_files()]
        lock.release()
        with pytest.raises(DirectoryInUse):
            lock.acquire()
    finally:
        process.stop()
    lock.acquire()
    lock.release()
