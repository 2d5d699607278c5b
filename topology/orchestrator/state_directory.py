"""The directory of an instance's stores: writable, locked by one process, and bound to one cluster."""

from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from runtime.directory_lock import DirectoryInUse, DirectoryLock
from schemas.errors import Code, StateError

IDENTITY_FILE = "identity.json"


class StateIdentity(Struct, frozen=True, kw_only=True):
    """The cluster, inbox and group whose state a directory holds; with another inbox the state would be wrong."""

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
        self._lock = DirectoryLock(path)

    def __enter__(self) -> Self:
        try:
            self._lock.acquire()
        except DirectoryInUse as error:
            raise self._locked(error) from error
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            self._check_identity()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

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

    def _locked(self, error: DirectoryInUse) -> StateError:
        return StateError(
            f"The state directory {self.path} is used by {error.holder}.",
            code=Code.STATE_LOCKED,
            next_step="Give each instance its own BATCH_ORCHESTRATOR_SERVICE_STATE_DIR and "
            "BATCH_ORCHESTRATOR_SERVICE_INSTANCE, or end the other process.",
        )

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
