"""Request headers as their senders meant them: UTF-8, each given once."""

from collections.abc import Iterable

from api.errors import Problem
from schemas.errors import Code
from schemas.text import unusable_character

Raw = Iterable[tuple[bytes, bytes]]
"""Headers as ASGI has them: names in lower case."""

SINGLE = ("x-user-id", "x-org-id", "idempotency-key", "x-correlation-id", "content-type", "content-encoding")
"""Headers of which two could contradict each other."""


def header(raw: Raw, name: str) -> str | None:
    """Return the text of a header, None where it is absent.

    Raises:
        Problem: 400 `ORC-HEADER-REPEATED` where it is given twice; 400 `ORC-HEADER` where it is not UTF-8 or holds a
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
    """Raise `Problem` where a header that the service reads is given twice or cannot be read."""
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
