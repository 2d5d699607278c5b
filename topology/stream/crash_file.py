"""What a stream application remembers across crashes: two small files in a directory of its own.

`crashes.json` has how the process ended, and where its partitions stood at unclean ends; it is written at a start, at
an end and when something in it changes. `deciding` has the record that is being processed; it is written for each
record, but only while records are processed one by one.
"""

import os
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

CRASHES_FILE = "crashes.json"
MARKER_FILE = "deciding"
_MARKER_BYTES = 512
"""Length of the marker, padded with spaces: topic names have up to 249 characters."""


class Ended(StrEnum):
    """How a process ended."""

    RUNNING = "running"
    """It has not ended; found by the next process, it means a crash."""
    FAILED = "failed"
    """It ended itself, because it hung or because of an error that nobody foresaw."""
    CLEAN = "clean"
    """It was stopped, or ended itself for a reason that has nothing to do with a record."""


class Stage(StrEnum):
    """How far a record was processed."""

    DECIDING = "deciding"
    """The code of the product was called with it."""
    COMMITTING = "committing"
    """Its results were being committed."""


class Place(Struct, frozen=True):
    """A record of an input."""

    topic: str
    partition: int
    offset: int


class Marker(Struct, frozen=True):
    """The record that is being processed."""

    place: Place
    stage: Stage


class Count(Struct, frozen=True):
    """How often a process has ended uncleanly at a place."""

    place: Place
    ends: int


class Crashes(Struct, frozen=True, kw_only=True):
    """The content of `crashes.json`."""

    owner: str
    """Cluster and group; the file of another one says nothing."""
    ended: Ended = Ended.RUNNING
    stuck: tuple[Count, ...] = ()
    """Unclean ends at the committed offset of each partition that has records left."""
    suspects: tuple[Count, ...] = ()
    """Unclean ends during one record of a partition."""


class CrashFile:
    """Reads and writes the two files. Raises `OSError` where the directory cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / CRASHES_FILE
        directory.mkdir(parents=True, exist_ok=True)
        self._marker = os.open(directory / MARKER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        """Close the marker's file."""
        os.close(self._marker)

    def read(self, owner: str) -> Crashes:
        """Return what the last process of `owner` left; without a readable file, a clean end."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Crashes)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return Crashes(owner=owner, ended=Ended.CLEAN)
        return found if found.owner == owner else Crashes(owner=owner, ended=Ended.CLEAN)

    def write(self, crashes: Crashes) -> None:
        """Replace the file, so that a crash leaves the old or the new one."""
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(crashes))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def marker(self) -> Marker | None:
        """Return the record that was being processed when the last process ended; None if there was none."""
        try:
            return msgspec.json.decode(os.pread(self._marker, _MARKER_BYTES, 0), type=Marker)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def mark(self, marker: Marker | None) -> None:
        """Write the marker, or remove it. A record that is about to be decided is on the disk when this returns."""
        text = b"" if marker is None else msgspec.json.encode(marker)
        os.pwrite(self._marker, text.ljust(_MARKER_BYTES), 0)
        if marker is not None and marker.stage is Stage.DECIDING:
            os.fsync(self._marker)
