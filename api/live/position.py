"""The id of an event: how far each partition of the status topic had been read when it was sent.

Clients take it as opaque. It is kept short because each event carries it.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec

_FORMAT = 1
MOST_CHARACTERS = 8_192
_decode = msgspec.json.Decoder(list[int]).decode


def position_id(offsets: Mapping[int, int]) -> str:
    """Return the id of a position, given the next offset of each partition."""
    count = max(offsets, default=-1) + 1
    numbers = [_FORMAT, *(offsets.get(partition, 0) for partition in range(count))]
    return urlsafe_b64encode(msgspec.json.encode(numbers)).decode().rstrip("=")


def parse_position(text: str) -> dict[int, int] | None:
    """Return the next offset of each partition, or None for a text that is no id of an event."""
    if len(text) > MOST_CHARACTERS or not text.isascii():
        return None
    try:
        numbers = _decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    if not numbers or numbers[0] != _FORMAT or min(numbers) < 0:
        return None
    return dict(enumerate(numbers[1:]))
