"""Reading the forms of pages: small ones, as browsers send them without a script."""

import asyncio
from urllib.parse import parse_qs

from fastapi import Request

from api.errors import Problem
from api.routes.request_body import too_large
from schemas.errors import Code
from schemas.text import unusable_character

_TIMEOUT_S = 10.0
SMALL = 16_384
"""Bytes of a form with a few fields."""
_KEPT = frozenset({"U+0009", "U+000A", "U+000D"})
"""Control characters that a text over several lines has."""


async def read_form(request: Request, *, most_bytes: int = SMALL) -> dict[str, str]:
    """Return the fields of a form that a page of this api sent; of a field given twice, the last.

    Raises `Problem`: 413 above `most_bytes`, 408 for one that does not arrive, 400 for
    one that is not UTF-8.
    """
    raw = bytearray()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > most_bytes:
                    raise too_large(most_bytes)
    except TimeoutError:
        raise Problem(
            408, Code.BODY_TIMEOUT, "The form has not arrived in time.", next_step="Send it again.", error="Timeout"
        ) from None
    try:
        fields = parse_qs(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise _unusable("it is not a form in UTF-8") from None
    return {name: values[-1].replace("\r\n", "\n") for name, values in fields.items()}


def text_field(form: dict[str, str], name: str) -> str:
    """Return a field of one line, without spaces around it. Raises `Problem` 400 for control characters."""
    value = form.get(name, "").strip()
    character = unusable_character(value)
    if character is not None and character not in _KEPT:
        raise _unusable(f"{name} holds the control character {character}")
    return " ".join(value.split())


def _unusable(why: str) -> Problem:
    return Problem(
        400,
        Code.BAD_REQUEST,
        f"The form cannot be read: {why}.",
        next_step="Fill it in again.",
        error="Form not usable",
    )
