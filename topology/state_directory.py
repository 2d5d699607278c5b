"""The directory of an instance's stores: writable, locked by one process, and bound to one cluster."""

from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec
from msgspec import Struct

from runtime.directory_lock import DirectoryInUse, DirectoryLock
from schemas.errors import Code, StateError

IDENTITY_FILE = "identity.json"


Identity = TypeVar("Identity", bound=Struct)
"""What a directory belongs to: a frozen struct of ids; with another one, what it holds would be wrong."""


class StateDirectory(Generic[Identity]):
    """Holds the directory for as long as the process lives; a context manager.

    `setting` is the name, without its prefix, of the setting that names the directory; `source` is what the state is
    rebuilt from. Entering it raises `StateError` where the directory cannot be written, is used by another process, or
    belongs to another identity.
    """

    def __init__(
        self, path: Path, identity: Identity, *, setting: str = "STATE_DIR", source: str = "the changelog"
    ) -> None:
        self.path = path
        self._identity = identity
        self._variable = f"BATCH_ORCHESTRATOR_SERVICE_{setting}"
        self._source = source
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
            found = msgspec.json.decode(path.read_bytes(), type=type(self._identity))
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
            next_step=f"Give each instance its own {self._variable} and "
            "BATCH_ORCHESTRATOR_SERVICE_INSTANCE, or end the other process.",
        )

    def _not_writable(self, error: OSError) -> StateError:
        return StateError(
            f"The state directory {self.path} cannot be written: {error.strerror}.",
            code=Code.STATE_DIRECTORY,
            next_step=f"Set {self._variable} to a directory that this user may write.",
        )

    def _foreign(self, why: str) -> StateError:
        return StateError(
            f"The state directory {self.path} holds foreign state: {why}.",
            code=Code.STATE_FOREIGN,
            next_step=f"Point to another directory, or remove this one: state is rebuilt from {self._source}.",
        )
