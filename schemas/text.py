"""Which texts can be an id: what every store, topic, header and address can hold and give back unchanged."""

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Pattern of ids and names, for models. SQLite and PostgreSQL change or refuse a NUL, and a line break would let one
name look like two; half a surrogate pair has no UTF-8 form, so the JSON parsers refuse it before this."""

_C0_END, _C1_START, _C1_END = "\x20", "\x7f", "\xa0"


def unusable_character(text: str) -> str | None:
    """Return the first character that an id must not hold, as `U+0000`; None where there is none.

    Control characters (C0, DEL, C1) and halves of surrogate pairs are refused.
    """
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if character < _C0_END or _C1_START <= character < _C1_END or "\ud800" <= character <= "\udfff":
            return f"U+{ord(character):04X}"
    return None
