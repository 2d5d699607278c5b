"""The serializer of records that are already encoded."""

from schemas.internal.outgoing import OutgoingRecord
from topology.stream.library import Serializer


class Payload(Serializer):
    """Returns the bytes of an `OutgoingRecord` unchanged; None for a tombstone or a record without a value."""

    def __call__(self, value: OutgoingRecord, ctx: object) -> bytes:  # noqa: ARG002 - the library's signature
        """Return the value of the record."""
        return value.value  # type: ignore[return-value]
