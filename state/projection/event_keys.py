"""Numbers by which ids that history tells of are looked for: 8 bytes in the place of 36.

The key of an id with at least 15 hexadecimal digits, as a UUID has, is its first 15, so that the beginning of an id is
a range of keys. Of any other id it is a digest, so that only the whole id is found. Above it lies what kind of id it
is. Different ids can share a key; who looks for one compares the id itself.
"""

from enum import IntEnum
from hashlib import blake2b

import msgspec

from schemas.internal.events import CancelBatch, PauseBatch, ResumeBatch, RetryPhase
from schemas.internal.history import HistoryRecord
from state.projection.id_runs import IdEntry
from state.projection.sql import text

_DIGITS = 15
_BITS = 4 * _DIGITS
_HEXADECIMAL = frozenset("0123456789abcdef")


class KeyKind(IntEnum):
    """What kind of id a key is of."""

    EVENT = 0
    REQUEST = 1
    BATCH = 2
    CONTROL = 3
    """One key for all requests to control a batch."""


CONTROL_KINDS = frozenset(
    str(body.__struct_config__.tag) for body in (CancelBatch, PauseBatch, ResumeBatch, RetryPhase)
)
"""Kinds of events with which somebody controls a batch."""
CONTROL_KEY = KeyKind.CONTROL << _BITS


def id_key(kind: KeyKind, of: str) -> int:
    """Return the key of an id."""
    digits = of.replace("-", "")[:_DIGITS]
    if len(digits) == _DIGITS and _HEXADECIMAL.issuperset(digits):
        return kind << _BITS | int(digits, 16)
    digest = int.from_bytes(blake2b(of.encode(errors="replace"), digest_size=8).digest(), "big")
    return kind << _BITS | digest >> (64 - _BITS)


def key_ranges(kind: KeyKind, begin: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges of keys, ends included, in which ids that begin with `begin` lie."""
    whole = id_key(kind, begin)
    digits = begin.replace("-", "")[:_DIGITS]
    if not digits or not _HEXADECIMAL.issuperset(digits):
        return ((whole, whole),)
    open_bits = 4 * (_DIGITS - len(digits))
    first = kind << _BITS | int(digits, 16) << open_bits
    last = first + (1 << open_bits) - 1
    return ((first, last),) if first <= whole <= last else ((whole, whole), (first, last))


class _Named(msgspec.Struct):
    event_id: str


class Telling(msgspec.Struct):
    """What of a history record names events, whatever the version of its format."""

    origin: _Named | None = None
    effects: tuple[_Named, ...] = ()


decode_telling = msgspec.json.Decoder(Telling).decode


def told_ids(told: Telling | HistoryRecord) -> set[str]:
    """Return the ids that a history record tells of: of the event, and of what was published with the decision."""
    ids = {effect.event_id for effect in told.effects}
    if told.origin is not None:
        ids.add(told.origin.event_id)
    return ids


def id_entries(record: HistoryRecord) -> list[IdEntry]:
    """Return an entry for each id by which a history record is looked for."""
    keys = {id_key(KeyKind.EVENT, each) for each in told_ids(record)}
    keys.add(id_key(KeyKind.BATCH, text(record.batch_id)))
    if record.request_id is not None:
        keys.add(id_key(KeyKind.REQUEST, text(record.request_id)))
    if record.kind in CONTROL_KINDS:
        keys.add(CONTROL_KEY)
    partition, offset, time_ms = record.partition, record.offset, record.time_ms
    return [(key, partition, offset, time_ms) for key in keys]
