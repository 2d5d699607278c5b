"""A lock on a directory, held by one process and by the children that inherit it."""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from schemas.errors import Code, OrchestratorError

LOCK_FILE = "lock"


class LockHolder(NamedTuple):
    """The processes that hold the lock of a directory, as its lock file names them."""

    owner: int
    """Id of the process that took the lock; 0 if the lock file does not name it."""
    children: tuple[int, ...] = ()
    """Ids of the processes that inherited the lock from the owner."""

    def alive(self) -> tuple[int, ...]:
        """Return the named processes that exist, the owner first."""
        return tuple(pid for pid in (self.owner, *self.children) if pid and _exists(pid))

    def __str__(self) -> str:
        alive = self.alive()
        if not alive:
            return "another process"
        if self.owner in alive:
            return f"process {self.owner}"
        left = ", ".join(map(str, alive))
        return f"process {left}, which was left behind by process {self.owner}"


class DirectoryInUse(OrchestratorError):
    """Another process holds the lock of a directory; callers raise their own error, which names its purpose."""

    code = Code.STATE_LOCKED

    def __init__(self, path: Path, holder: LockHolder) -> None:
        super().__init__(f"{path} is used by {holder}.", next_step="End that process, or name another directory.")
        self.path = path
        self.holder = holder


class DirectoryLock:
    """An advisory lock (flock) on the file `lock` in a directory.

    The system releases the lock when the last process that has the descriptor open ends. A child that is given
    `descriptor` therefore keeps the directory locked after its parent was killed, and an ended process never does.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """Descriptor of the open lock file, for a child that uses the directory to inherit."""
        assert self._descriptor is not None, "the lock is not held"
        return self._descriptor

    def acquire(self) -> None:
        """Create the directory where it is missing, and take its lock. Does nothing when it is held already.

        Raises:
            DirectoryInUse: another process holds the lock.
            OSError: the directory cannot be created or written.
        """
        if self._descriptor is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise DirectoryInUse(self._directory, holder) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self.name_children(())

    def name_children(self, children: Iterable[int]) -> None:
        """Write the owner's process id, and those of the children that inherited the lock, into the lock file."""
        pids = (os.getpid(), *children)
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, "".join(f"{pid}\n" for pid in pids).encode(), 0)

    def release(self) -> None:
        """Release the lock in this process; a child that inherited it keeps it while it runs."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _read_holder(descriptor: int) -> LockHolder:
    pids = [int(line) for line in os.pread(descriptor, 1024, 0).split() if line.isdigit()]
    return LockHolder(pids[0], tuple(pids[1:])) if pids else LockHolder(0)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it belongs to another user
    return True
