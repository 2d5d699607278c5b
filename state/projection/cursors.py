"""Cursors: where a page ended, as opaque text."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import InvalidCursor

Place = TypeVar("Place")


class CursorCodec(Generic[Place]):
    """Cursors of one kind of list. `place` is a tuple type: the columns by which the list is ordered."""

    def __init__(self, place: type[Place]) -> None:
        self._decode = msgspec.json.Decoder(place).decode

    def encode(self, place: Place) -> str:
        """Return the cursor of a place."""
        return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")

    def decode(self, cursor: str) -> Place:
        """Return the place of a cursor. Raises `InvalidCursor`."""
        try:
            place = self._decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            _require_columns(place)
        except (ValueError, msgspec.MsgspecError) as error:
            raise InvalidCursor(
                f"{cursor[:100]!r} is not a cursor of this list.",
                next_step="Leave the cursor out to begin again, or give the one that came with the page before.",
            ) from error
        return place


def _require_columns(place: Any) -> None:
    """Raise `ValueError` for a number that no column can hold: a database refuses it with an error of its own."""
    for value in place:
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(value)
