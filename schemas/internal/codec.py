"""Bytes of the internal records (JSON), with the versions that decide who may read them.

Every internal record starts with `writer` (version of its format that wrote it) and `least_reader` (oldest version
that understands it). A reader older than `least_reader` must stop with `NewerRecord`, and a reader that no longer
understands `writer` with `OlderRecord`: neither is ever a dead letter, because skipping the record would lose it.
"""

from typing import Generic, Protocol, TypeVar

import msgspec

from schemas.errors import NewerRecord, OlderRecord, UnreadableRecord
from schemas.internal.formats import RecordFormat


class _Versions(msgspec.Struct):
    writer: int
    least_reader: int


class _Versioned(Protocol):
    @property
    def writer(self) -> int: ...

    @property
    def least_reader(self) -> int: ...


Record = TypeVar("Record", bound=_Versioned)


encode = msgspec.json.Encoder().encode
"""Encode any internal struct."""
_versions = msgspec.json.Decoder(_Versions)


class RecordDecoder(Generic[Record]):
    """Decodes one kind of internal record, checking its versions against those of its format."""

    def __init__(self, record_type: type[Record], record_format: RecordFormat) -> None:
        self._name = record_type.__name__
        self._format = record_format
        self._decode = msgspec.json.Decoder(record_type).decode

    def __call__(self, raw: bytes) -> Record:
        """Return the record. Raises `NewerRecord`, `OlderRecord` or `UnreadableRecord`."""
        try:
            record = self._decode(raw)
        except msgspec.MsgspecError as error:
            self._check_versions_of(raw)
            raise UnreadableRecord(
                f"{self._name} cannot be decoded: {error}", next_step="Look at the dead letter; fix the producer."
            ) from error
        self._check(record)
        return record

    def _check_versions_of(self, raw: bytes) -> None:
        try:
            versions = _versions.decode(raw)
        except msgspec.MsgspecError:
            return
        self._check(versions)

    def _check(self, record: _Versioned) -> None:
        if record.least_reader > self._format.version:
            raise NewerRecord(
                f"{self._name} was written by format version {record.writer} and needs a reader of version "
                f"{record.least_reader}; this process reads up to {self._format.version}.",
                next_step="Upgrade this process to the version of the newest writer, then start it again.",
            )
        if record.writer < self._format.oldest:
            raise OlderRecord(
                f"{self._name} was written by format version {record.writer}; this process reads from "
                f"{self._format.oldest} on.",
                next_step="Let the older version of the product process what its topics hold, or start this version "
                "on fresh topics (another TOPIC_PREFIX) and a fresh state directory.",
            )
