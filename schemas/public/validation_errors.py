"""What a failed validation says to the one who sent the data."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

SHOWN_FAULTS = 5
_MESSAGES = {"string_pattern_mismatch": "String should hold no control characters"}
"""In place of messages that only quote a rule. The one pattern that models ask for is that of `schemas.text`."""


def faults(error: ValidationError) -> list[Mapping[str, Any]]:
    """Return each fault as `type`, `loc`, `msg`: JSON throughout, and without the data itself."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {"type": fault["type"], "loc": list(fault["loc"]), "msg": _MESSAGES.get(fault["type"], fault["msg"])}
        for fault in found
    ]


def sentence(found: list[Mapping[str, Any]]) -> str:
    """Return the first faults in one line, such as `data.batch_id: Field required`."""
    shown = [": ".join(filter(None, (_place(fault), fault["msg"]))) for fault in found[:SHOWN_FAULTS]]
    more = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _place(fault: Mapping[str, Any]) -> str:
    """Return where a fault lies; empty where the document as a whole is wrong.

    A member of a union, such as `list[str]`, is no place in the document.
    """
    return ".".join(str(part) for part in fault["loc"] if "[" not in str(part))
