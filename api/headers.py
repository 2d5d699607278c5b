"""Request headers: each must be UTF-8 and given at most once."""

from collections.abc import Iterable

from api.errors import Problem
from schemas.errors import Code
from schemas.text import unusable_character

Raw = Iterable[tuple[bytes, bytes]]
"""Headers in ASGI form, with names in lower case."""

SINGLE = (
    "x-user-id",
    "x-org-id",
    "idempotency-key",
    "if-match",
    "x-correlation-id",
    "content-type",
    "content-encoding",
)
"""Headers that must not be repeated, because two values could contradict each other."""


def header(raw: Raw, name: str) -> str | None:
    """Return the text of a header; None if it is absent.

    Raises:
        Problem: 400 `ORC-HEADER-REPEATED` if it is given twice; 400 `ORC-HEADER` if it is not UTF-8 or holds a
            control character.
    """
    found = [value for given, value in raw if given == name.encode()]
    if not found:
        return None
    if len(found) > 1:
        raise Problem(
            400,
            Code.HEADER_REPEATED,
            f"The header {name} is given {len(found)} times.",
            next_step="Send it once. A proxy on the way may add one of its own: have it replace the client's.",
            error="Validation Error",
        )
    try:
        text = found[0].decode()
    except UnicodeDecodeError:
        raise _unusable(name, "is not UTF-8") from None
    character = unusable_character(text)
    if character is not None and character != "U+0009":
        raise _unusable(name, f"holds the control character {character}")
    return text


def check_headers(raw: Raw) -> None:
    """Raise `Problem` if a header that the service reads is repeated or cannot be read."""
    given = list(raw)
    for name in SINGLE:
        header(given, name)


def _unusable(name: str, what: str) -> Problem:
    return Problem(
        400,
        Code.HEADER,
        f"The header {name} {what}.",
        next_step="Send its value as UTF-8 without control characters.",
        error="Validation Error",
    )
