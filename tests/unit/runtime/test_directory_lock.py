"""One process at a time uses a directory, and a process that has ended never keeps it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.directory_lock import DirectoryInUse, DirectoryLock, LockHolder

HOLD = """
import sys
from pathlib import Path
from runtime.directory_lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
lock.acquire()
print("locked", flush=True)
sys.stdin.read()
"""
WAIT = "import sys; print('runs', flush=True); sys.stdin.read()"


def holder_of(directory: Path) -> LockHolder:
    with pytest.raises(DirectoryInUse) as raised:
        DirectoryLock(directory).acquire()
    return raised.value.holder


def test_the_process_that_holds_the_lock_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "new")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        assert holder_of(tmp_path / "new") == LockHolder(process.pid)
        assert str(holder_of(tmp_path / "new")) == f"process {process.pid}"
        process.kill()
    again = DirectoryLock(tmp_path / "new")
    again.acquire()
    again.release()


def test_a_child_that_inherits_the_lock_holds_it_for_as_long_as_it_runs(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    with subprocess.Popen(
        [sys.executable, "-c", WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(lock.descriptor,)
    ) as inheriting:
        lock.name_children([inheriting.pid])
        lock.release()
        assert holder_of(tmp_path) == LockHolder(os.getpid(), (inheriting.pid,))
        inheriting.kill()
    lock.acquire()
    lock.release()


def test_a_child_that_does_not_inherit_it_holds_nothing(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    command = [sys.executable, "-c", WAIT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as other:
        assert other.stdout is not None
        assert other.stdout.readline()  # before it runs, the system has not closed what it does not inherit
        lock.release()
        lock.acquire()
        lock.release()
        other.kill()


def test_what_was_left_behind_is_named_with_who_left_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert (
        str(LockHolder(ended.pid, (os.getpid(),)))
        == f"process {os.getpid()}, which was left behind by process {ended.pid}"
    )
    assert str(LockHolder(ended.pid)) == str(LockHolder(0)) == "another process"
