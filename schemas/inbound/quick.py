"""The quick reading of ready events and outcomes, which are nearly all that a router reads.

It takes what peers send as they should, decoding straight into what the inbox holds, and leaves everything else to the
models (`schemas.inbound.models`): they take more spellings, and they alone say what is wrong with a record. What is
taken here the models read alike; tests/contract/test_quick.py holds the two against each other.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

from schemas.inbound.canonical import PHASES, STATUSES, milliseconds
from schemas.inbound.models import MAX_BATCH_ID
from schemas.internal.events import Body, EssayRef, EssaysReady, FileFailure, PhaseConcluded
from schemas.limits import Limits
from schemas.topics import Topic

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?")
_NESTING = 60
"""Brackets beside those of essays and their metrics; so many levels deep at most is the document."""


class PeerEvent(NamedTuple):
    """An event as it was read, whichever way: what its inbox record is made of."""

    batch_id: str
    event_id: str | None
    event_type: str
    source: str
    produced_ms: int
    correlation_id: str | None
    """That of the envelope."""
    body: Body


BatchId = Annotated[str, Meta(min_length=1, max_length=MAX_BATCH_ID)]
Name = Annotated[str, Meta(min_length=1)]
Data = TypeVar("Data")


class _FailedFile(Struct):
    original_file_name: str
    validation_error_code: str
    validation_error_message: str


class _Ready(Struct):
    batch_id: BatchId
    ready_essays: tuple[EssayRef, ...]
    validation_failures: tuple[_FailedFile, ...] | None = None


class _Outcome(Struct):
    batch_id: BatchId
    phase_name: Name
    phase_status: str
    processed_essays: tuple[EssayRef, ...]
    failed_essay_ids: tuple[str, ...] | None = None
    correlation_id: str | None = None
    attempt: Annotated[int, Meta(ge=1, le=2**31)] | None = None


class _Envelope(Struct, Generic[Data]):
    source_service: str
    data: Data
    event_id: str | None = None
    event_type: str | None = None
    event_timestamp: str | None = None
    correlation_id: str | None = None


def read_quickly(topic: Topic, value: bytes, limits: Limits) -> PeerEvent | None:
    """Return the event in a record of a peer, or None where the models have to read it."""
    read = _READERS.get(topic)
    # Without escapes, a string of ASCII holds no control character but DEL: JSON has the others escaped.
    if read is None or b"\\" in value or not value.isascii() or b"\x7f" in value:
        return None
    try:
        return read(value, limits)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _ready(value: bytes, limits: Limits) -> PeerEvent | None:
    envelope = _decode_ready(value)
    data = envelope.data
    failed = data.validation_failures or ()
    if not _ordinary(value, envelope, data.ready_essays, len(failed), limits):
        return None
    failures = tuple(
        [FileFailure(f.validation_error_code, f.validation_error_message, f.original_file_name) for f in failed]
    )
    return _event(envelope, data.batch_id, EssaysReady(essays=data.ready_essays, failures=failures))


def _outcome(value: bytes, limits: Limits) -> PeerEvent | None:
    envelope = _decode_outcome(value)
    data = envelope.data
    status = STATUSES.get(data.phase_status.lower())
    failed = data.failed_essay_ids or ()
    if status is None or len(failed) > limits.essays or not _is_id(data.correlation_id):
        return None
    if not _ordinary(value, envelope, data.processed_essays, 0, limits):
        return None
    body = PhaseConcluded(
        phase=PHASES.get(data.phase_name, data.phase_name),
        status=status,
        essays=data.processed_essays,
        failed_essay_ids=failed,
        correlation_id=data.correlation_id or envelope.correlation_id,
        attempt=data.attempt,
    )
    return _event(envelope, data.batch_id, body)


def _ordinary(value: bytes, envelope: _Envelope[Any], essays: tuple[EssayRef, ...], more: int, limits: Limits) -> bool:
    """Whether the models would find the same: ids and time in their usual form, and no deep nesting anywhere."""
    if len(essays) > limits.essays or not (_is_id(envelope.event_id) and _is_id(envelope.correlation_id)):
        return False
    time = envelope.event_timestamp
    if time is not None and _TIME.fullmatch(time) is None:
        return False
    brackets = value.count(b"{") + value.count(b"[") - len(essays) - more
    if brackets > _NESTING:
        brackets -= sum([ref.spellcheck_metrics is not None for ref in essays])
    return brackets <= _NESTING


def _is_id(text: str | None) -> bool:
    return text is None or _UUID.fullmatch(text) is not None


def _event(envelope: _Envelope[Any], batch_id: str, body: Body) -> PeerEvent:
    time = envelope.event_timestamp
    return PeerEvent(
        batch_id=batch_id,
        event_id=envelope.event_id,
        event_type=envelope.event_type or "",
        source=envelope.source_service,
        produced_ms=0 if time is None else milliseconds(datetime.fromisoformat(time)),
        correlation_id=envelope.correlation_id,
        body=body,
    )


_decode_ready = msgspec.json.Decoder(_Envelope[_Ready]).decode
_decode_outcome = msgspec.json.Decoder(_Envelope[_Outcome]).decode
_READERS: dict[Topic, Callable[[bytes, Limits], PeerEvent | None]] = {
    Topic.ESSAYS_READY: _ready,
    Topic.OUTCOME: _outcome,
    Topic.OUTCOME_SEED: _outcome,
}
