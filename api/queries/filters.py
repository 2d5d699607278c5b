"""The filter of a list of batches as a query: the names in the URL, on the command line and in a bulk request."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from api.times import timestamp
from schemas.errors import InvalidFilter
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.text import unusable_character
from state.projection import BatchFilter

Query = Mapping[str, str | Sequence[str]]
"""Values by name; a name that is given several times has a sequence of values."""

LONGEST_VALUE = 255
TEXTS = ("phase", "owner", "organisation", "user", "course", "pipeline")
"""Names that take a text, which must be equal."""
FLAGS = ("stalled", "held", "paused", "ended", "attention")
"""Names that take yes or no."""
DUE = "due_before"
"""Takes a time, or how long from now (`1h`)."""
TIMES = ("created_from", "created_before", "updated_from", "updated_before", DUE)
"""Names that take a time: RFC 3339, a date, or how long ago (`24h`)."""
SINCE = "since"
"""Another name of `updated_from`, for `since=24h`."""
NAMES = ("status", "phase", "phase_status", *TEXTS[1:], *FLAGS, *TIMES, SINCE)
"""Every name, in the order in which `filter_query` writes them."""

_YES = frozenset({"yes", "true", "1", "on"})
_NO = frozenset({"no", "false", "0", "off"})
_DURATION = re.compile(r"([0-9]{1,5})([smhdw])")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPACE_FOR_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:\d\d)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
"""The last millisecond that has an RFC 3339 form."""


def parse_filter(query: Query, *, now_ms: int | None = None) -> BatchFilter:
    """Return the filter that a query describes; a value that is empty counts as absent.

    `status` can be given several times, or as a list with commas. `now_ms` is what `24h` is counted back from, the
    present where it is None. Raises `InvalidFilter`, which names the nearest name or word.
    """
    now = int(time.time() * 1_000) if now_ms is None else now_ms
    given = {name: read for name, values in query.items() if (read := _values(name, values))}
    found: dict[str, Any] = {}
    for name, values in given.items():
        if name == "status":
            found[name] = _statuses(values)
            continue
        if len(values) > 1:
            raise _wrong(name, f"it is given {len(values)} times", "Give it once.")
        if name == SINCE or name in TIMES:
            field, moment = f"{'updated_from' if name == SINCE else name}_ms", _time(name, values[0], now)
            found[field] = max(moment, found.get(field, 0))  # both names of a field must fit
        else:
            found[name] = _reader(name)(name, values[0])
    return BatchFilter(**found)


def filter_query(filters: BatchFilter) -> str:
    """Return the query of a URL, without the question mark, from which `parse_filter` makes the same filter."""
    return urlencode(list(filter_items(filters)))


def filter_items(filters: BatchFilter) -> Iterable[tuple[str, str]]:
    """Yield names and values of a filter, in the order of `NAMES`."""
    for status in filters.status:
        yield "status", status.value
    for name in NAMES[1:]:
        value = getattr(filters, f"{name}_ms" if name in TIMES else name, None)
        if value is None:
            continue
        if name in TIMES:
            yield name, timestamp(value)
        elif name in FLAGS:
            yield name, "yes" if value else "no"
        else:
            yield name, _quoted(str(value))


def nearest(given: str, known: Iterable[str]) -> str:
    """Return a next step that names the known word nearest to `given`, or else all of them."""
    words = list(known)
    close = get_close_matches(given.lower(), words, n=1, cutoff=0.6)
    return f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(words)}."


def _values(name: str, values: str | Sequence[str]) -> list[str]:
    if name not in NAMES:
        shown = name[:40] if unusable_character(name) is None else "a name with control characters"
        raise InvalidFilter(
            f"There is no filter {shown}.",
            next_step=nearest(shown, NAMES),
            name=shown,
        )
    found = [each for each in ([values] if isinstance(values, str) else values) if each]
    for value in found:
        if len(value) > LONGEST_VALUE + 2 or unusable_character(value) is not None:
            raise _wrong(name, "its value is too long or has a control character", "Correct the value.")
    return found


def _reader(name: str) -> Callable[[str, str], Any]:
    if name in FLAGS:
        return _flag
    return _phase_status if name == "phase_status" else _text


def _statuses(values: Sequence[str]) -> tuple[BatchStatus, ...]:
    words = [word.strip() for value in values for word in value.split(",") if word.strip()]
    return tuple(dict.fromkeys(BatchStatus(_word("status", word, BatchStatus)) for word in words))


def _phase_status(name: str, value: str) -> PhaseStatus:
    return PhaseStatus(_word(name, value, PhaseStatus))


def _word(name: str, value: str, words: type[StrEnum]) -> str:
    known = [word.value for word in words]
    if value not in known:  # an open enumeration would take any word
        raise _wrong(name, f"{value[:40]!r} is no such status", nearest(value, known))
    return value


def _flag(name: str, value: str) -> bool:
    if value.lower() not in _YES | _NO:
        raise _wrong(name, "it is neither yes nor no", "Give yes or no; leave it out for both.")
    return value.lower() in _YES


def _text(name: str, value: str) -> str:
    text = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if len(text) > LONGEST_VALUE:
        raise _wrong(name, f"its value has more than {LONGEST_VALUE} characters", "Correct the value.")
    return text


def _quoted(text: str) -> str:
    """Return a value that `_text` reads as this text: an empty one, or one in quotes, is put into quotes."""
    return f'"{text}"' if not text or (len(text) > 1 and text[0] == text[-1] == '"') else text


def _time(name: str, value: str, now_ms: int) -> int:
    duration = _DURATION.fullmatch(value)
    if duration is not None:
        milliseconds = int(duration[1]) * _UNITS_MS[duration[2]]
        return now_ms + milliseconds if name == DUE else max(0, now_ms - milliseconds)
    try:
        # An unencoded plus of a time zone has become a space.
        found = datetime.fromisoformat(_SPACE_FOR_PLUS.sub(r"\1+\2", value))
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        since_epoch = found - _EPOCH
    except (ValueError, OverflowError):
        raise _wrong(
            name, f"{value[:40]!r} is no time", "Give RFC 3339 (2026-11-24T14:03:22Z) or how long ago (15m, 24h, 7d)."
        ) from None
    # No batch is older or younger than that, so the bound means the same.
    return min(max(0, since_epoch // timedelta(milliseconds=1)), _LAST_MS)


def _wrong(name: str, what: str, next_step: str) -> InvalidFilter:
    return InvalidFilter(f"The filter {name} cannot be used: {what}.", next_step=next_step, name=name)
