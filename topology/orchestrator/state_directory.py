"""The directory of an instance's stores: writable, used by one process, and bound to the cluster it belongs to."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from schemas.errors import Code, StateError

IDENTITY_FILE = "identity.json"
LOCK_FILE = "lock"


class StateIdentity(Struct, frozen=True, kw_only=True):
    """Whose state a directory holds. A store that meets another inbox would decide on foreign batches."""

    cluster_id: str
    inbox_topic_id: str
    group: str


class StateDirectory:
    """Holds the directory for as long as the process lives; a context manager.

    Entering it raises `StateError` where the directory cannot be written, is used by another process, or holds the
    state of another cluster, inbox or group.
    """

    def __init__(self, path: Path, identity: StateIdentity) -> None:
        self.path = path
        self._identity = identity
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            self._take_lock(self._lock)
            self._check_identity()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"The state directory {self.path} is used by another process.",
                code=Code.STATE_LOCKED,
                next_step="Give each instance its own BATCH_ORCHESTRATOR_SERVICE_STATE_DIR and "
                "BATCH_ORCHESTRATOR_SERVICE_INSTANCE, or end the other process.",
            ) from error

    def _check_identity(self) -> None:
        path = self.path / IDENTITY_FILE
        try:
            if not path.exists():
                # Written beside and renamed, so that a crash leaves no half of it.
                fresh = path.with_suffix(".new")
                fresh.write_bytes(msgspec.json.encode(self._identity))
                fresh.replace(path)
                return
            found = msgspec.json.decode(path.read_bytes(), type=StateIdentity)
        except OSError as error:
            raise self._not_writable(error) from error
        except msgspec.MsgspecError as error:
            raise self._foreign(f"{path} cannot be read: {error}") from error
        if found != self._identity:
            raise self._foreign(f"it belongs to {found}, and this process to {self._identity}")

    def _not_writable(self, error: OSError) -> StateError:
        return StateError(
            f"The state directory {self.path} cannot be written: {error.strerror}.",
            code=Code.STATE_DIRECTORY,
            next_step="Set BATCH_ORCHESTRATOR_SERVICE_STATE_DIR to a directory that this user may write.",
        )

    def _foreign(self, why: str) -> StateError:
        return StateError(
            f"The state directory {self.path} holds foreign state: {why}.",
            code=Code.STATE_FOREIGN,
            next_step="Point to another directory, or remove this one: state is rebuilt from the changelog.",
        )
