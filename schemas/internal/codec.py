"""Bytes of the internal records (JSON), with the versions that decide who may read them.

Every internal record starts with `writer` (version of the format that wrote it) and `least_reader` (oldest version
that understands it). A reader older than `least_reader` must stop: `NewerRecord` is never a dead letter.
"""

from typing import Generic, Protocol, TypeVar

import msgspec

from schemas.errors import NewerRecord, UnreadableRecord

FORMAT_VERSION = 1
"""Version of the internal formats that this code writes and understands."""
LEAST_READER = 1
"""Oldest version that can read what this code writes."""


class _Versions(msgspec.Struct):
    writer: int
    least_reader: int


class _Versioned(Protocol):
    @property
    def least_reader(self) -> int: ...


Record = TypeVar("Record", bound=_Versioned)


encode = msgspec.json.Encoder().encode
"""Encode any internal struct."""
_versions = msgspec.json.Decoder(_Versions)


class RecordDecoder(Generic[Record]):
    """Decodes one kind of internal record, checking its versions."""

    def __init__(self, record_type: type[Record]) -> None:
        self._name = record_type.__name__
        self._decode = msgspec.json.Decoder(record_type).decode

    def __call__(self, raw: bytes) -> Record:
        """Return the record. Raises `NewerRecord` or `UnreadableRecord`."""
        try:
            record = self._decode(raw)
        except msgspec.MsgspecError as error:
            self._refuse_newer(raw)
            raise UnreadableRecord(
                f"{self._name} cannot be decoded: {error}", next_step="Look at the dead letter; fix the producer."
            ) from error
        if record.least_reader > FORMAT_VERSION:
            self._refuse_newer(raw)
        return record

    def _refuse_newer(self, raw: bytes) -> None:
        try:
            versions = _versions.decode(raw)
        except msgspec.MsgspecError:
            return
        if versions.least_reader > FORMAT_VERSION:
            raise NewerRecord(
                f"{self._name} was written by format version {versions.writer} and needs a reader of version "
                f"{versions.least_reader}; this process reads up to {FORMAT_VERSION}.",
                next_step="Upgrade this process to the version of the newest writer, then start it again.",
            )
