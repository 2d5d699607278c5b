"""The canonical form of a JSON document (RFC 8785), whose bytes do not depend on who wrote it.

`rfc8785` is the authority. An ordinary document, of ASCII text without escapes and of safe integers, has the same form
in any encoder that sorts keys, and is encoded by one in C: 2 us instead of 17 for a registration's body.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import rfc8785

_SAFE_INTEGER = 2**53 - 1
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def canonical_json(document: dict[str, Any]) -> bytes:
    """Return the canonical form of a document that was read from JSON.

    Raises:
        CanonicalizationError: it holds an integer beyond 2**53, NaN or an infinity.
        UnicodeError: it holds half a surrogate pair.
    """
    if _ordinary(document.values()):
        try:
            encoded = _encode_sorted(document)
        except UnicodeError:
            return rfc8785.dumps(document)
        # Escapes are spelt in several ways, and keys beyond ASCII are sorted in several ways.
        if encoded.isascii() and b"\\" not in encoded:
            return encoded
    return rfc8785.dumps(document)


def _ordinary(values: Iterable[Any]) -> bool:
    """Return whether there is no number but safe integers: the others have a spelling of their own, or none."""
    for value in values:
        kind = type(value)
        if kind is str or value is None or kind is bool:
            continue
        if kind is int:
            if not -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
                return False
        elif kind is dict:
            if not _ordinary(value.values()):
                return False
        elif kind is not list or not _ordinary(value):
            return False
    return True
