"""What a stream needs to know of a status record: who may see the batch, and which filters it fits."""

import msgspec
from msgspec import Struct

from api.kafka_log.kafka_log import LogRecord
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.internal.records import VERSION


class ContextFacts(Struct, frozen=True, gc=False):
    """The part of a batch's context that filters ask for."""

    course_code_given: str = ""
    user_id: str | None = None
    org_id: str | None = None


class PhaseFacts(Struct, frozen=True, gc=False):
    """The part of a phase that filters ask for."""

    status: PhaseStatus
    stalled: bool = False


class PauseFacts(Struct, frozen=True, gc=False):
    """A pause; that there is one is all that filters ask for."""


class BatchFacts(Struct, frozen=True, kw_only=True, gc=False):
    """A part of a status record, with the same field names; unknown fields of the record are skipped."""

    batch_id: str
    version: int
    status: BatchStatus
    owner_subject: str
    owner_organisation: str
    context: ContextFacts
    pipeline: str
    phases: dict[str, PhaseFacts]
    stalled: bool = False
    held: bool = False
    pause: PauseFacts | None = None
    registered_ms: int
    updated_ms: int
    ended_ms: int | None = None


class Notice(Struct, frozen=True, gc=False):
    """A record of the status topic, as it was read."""

    partition: int
    offset: int
    batch_id: str
    version: int
    time_ms: int
    """When the record was appended, Unix milliseconds."""
    facts: BatchFacts | None
    """None for a batch that was purged."""


_decode = msgspec.json.Decoder(BatchFacts).decode


def notice_of(record: LogRecord) -> Notice | None:
    """Return the notice of a status record, or None for one that the product did not write."""
    facts = None
    try:
        version = int(record.headers.get(VERSION, b""))
        if record.value is not None:
            facts = _decode(record.value)
    except (ValueError, msgspec.MsgspecError):
        return None
    return Notice(
        partition=record.partition.number,
        offset=record.offset,
        batch_id=record.key.decode(errors="replace"),
        version=version,
        time_ms=record.time_ms or (0 if facts is None else facts.updated_ms),
        facts=facts,
    )
