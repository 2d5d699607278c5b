"""Values of records as pages write them."""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.internal.events import Origin

_LONGEST = 400


class ValueRow(Struct, frozen=True, kw_only=True):
    """A value that differs."""

    path: str
    before: str | None
    """None where there was none."""
    after: str | None
    """None where there is none."""


class Fact(Struct, frozen=True):
    """A name and its value."""

    name: str
    value: str


def value_text(value: Any) -> str | None:
    """Return a JSON value in one line, cut where it is long; a text stands without quotes."""
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def pretty(value: Any) -> str:
    """Return a JSON value over several lines."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def value_row(path: str, before: Any, after: Any) -> ValueRow:
    """Return a value before and after."""
    return ValueRow(path=path, before=value_text(before), after=value_text(after))


def origin_facts(origin: Origin | None) -> tuple[Fact, ...]:
    """Return where an inbox record came from."""
    if origin is None:
        return ()
    found = [
        Fact("Event", origin.event_type),
        Fact("Event id", origin.event_id),
        Fact("Read from", f"{origin.topic}, partition {origin.partition}, offset {origin.offset}"),
        Fact("Sent by", origin.source),
        Fact("Correlation id", origin.correlation_id or ""),
        Fact("Trace", origin.traceparent or ""),
    ]
    return tuple(each for each in found if each.value)
