"""The bytes of a record in the forms in which a person can read them: JSON, text and hexadecimal digits."""

import json
from typing import Literal

from msgspec import Struct

Form = Literal["json", "text", "hex"]
FORMS: tuple[Form, ...] = ("json", "text", "hex")
MOST_SHOWN = 100_000
"""Bytes of a value that a page shows."""
_LINE = 16


class ValueView(Struct, frozen=True, kw_only=True):
    """A value in one of its forms."""

    form: Form
    possible: tuple[Form, ...]
    size: int
    content: str
    cut: bool
    """Whether only the beginning is shown."""


def value_view(value: bytes, asked: str | None = None) -> ValueView:
    """Return a value as JSON, text or hex: as asked where that is possible, or else what says most about it."""
    found: dict[Form, str | None] = {"json": _json(value), "text": _text(value), "hex": ""}
    possible = tuple(form for form in FORMS if found[form] is not None)
    chosen = next((form for form in possible if form == asked), possible[0])
    content = found[chosen] or hex_dump(value[: MOST_SHOWN // 4])
    return ValueView(
        form=chosen,
        possible=possible,
        size=len(value),
        content=content[:MOST_SHOWN],
        cut=len(content) > MOST_SHOWN or (chosen == "hex" and len(value) > MOST_SHOWN // 4),
    )


def hex_dump(value: bytes) -> str:
    """Return sixteen bytes a line: their offset, their digits, and what is printable of them."""
    return "\n".join(_hex_line(start, value[start : start + _LINE]) for start in range(0, len(value), _LINE))


def _hex_line(start: int, part: bytes) -> str:
    digits = part.hex(" ").ljust(3 * _LINE - 1)
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{start:08x}  {digits}  {shown}"


def _json(value: bytes) -> str | None:
    try:
        parsed = json.loads(value, parse_constant=_refuse)
        return json.dumps(parsed, indent=2, ensure_ascii=False).encode().decode()
    except (ValueError, RecursionError):
        return None


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
