"""Numbers by which event ids are looked for: 8 bytes in the place of 36.

The key of an id with at least 15 hexadecimal digits, as a UUID has, is its first 15, so that the beginning of an id is
a range of keys. Of any other id it is a digest, so that only the whole id is found. Different ids can share a key; who
looks for one compares the id itself.
"""

from hashlib import blake2b

import msgspec

from schemas.internal.history import HistoryRecord
from state.projection.sql import Row

_DIGITS = 15
_HEXADECIMAL = frozenset("0123456789abcdef")


def event_key(event_id: str) -> int:
    """Return the key of an id."""
    digits = event_id.replace("-", "")[:_DIGITS]
    if len(digits) == _DIGITS and _HEXADECIMAL.issuperset(digits):
        return int(digits, 16)
    return int.from_bytes(blake2b(event_id.encode(errors="replace"), digest_size=8).digest(), "big") >> 1


def key_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges of keys, ends included, in which ids that begin with `text` lie."""
    whole = event_key(text)
    digits = text.replace("-", "")[:_DIGITS]
    if not digits or not _HEXADECIMAL.issuperset(digits):
        return ((whole, whole),)
    open_bits = 4 * (_DIGITS - len(digits))
    first = int(digits, 16) << open_bits
    return (whole, whole), (first, first + (1 << open_bits) - 1)


class _Named(msgspec.Struct):
    event_id: str


class Telling(msgspec.Struct):
    """What of a history record names events, whatever the version of its format."""

    partition: int
    offset: int
    time_ms: int
    origin: _Named | None = None
    effects: tuple[_Named, ...] = ()


decode_telling = msgspec.json.Decoder(Telling).decode


def told_ids(told: Telling | HistoryRecord) -> set[str]:
    """Return the ids that a history record tells of: of the event, and of what was published with the decision."""
    ids = {effect.event_id for effect in told.effects}
    if told.origin is not None:
        ids.add(told.origin.event_id)
    return ids


def event_rows(told: Telling | HistoryRecord) -> list[Row]:
    """Return the rows of `event_ids` of a history record."""
    place = {"partition": told.partition, "offset": told.offset, "time_ms": told.time_ms}
    return [{"key": key, **place} for key in sorted(set(map(event_key, told_ids(told))))]
