"""Dead letters: records that could not be used, kept unchanged with what is known about them in their headers.

Key: `schemas.ids.dead_letter_id` of where the record was first read, so that repeats coincide. Value: the record's
bytes; with the header `wrapped` they are an inbox record, not a peer's. The headers are frozen:

| header | value |
|---|---|
| `first_topic`, `first_partition`, `first_offset` | where it was first read, decimal |
| `first_time_ms`, `first_key` | its time and key (absent where none); of a wrapped record those on the inbox |
| `wrapped` | `1`, or absent |
| `request_id` | where it carries a request |
| `code`, `reason` | the error's stable code, and a sentence |
| `traceback` | shortened; absent where there is none |

A replay sends value and headers to the replay topic as they are.

What an operator did with a dead letter is another record under the same key. It repeats value and headers of the dead
letter, so that a reader that finds it alone knows everything, and adds:

| header | value |
|---|---|
| `state` | `replayed` or `discarded`; absent in a dead letter |
| `state_of` | offset, on the dead letter topic, of the dead letter that it is about |
| `state_letter_time_ms` | append time of that dead letter |
| `state_time_ms`, `state_by` | when, and who |
| `state_note` | why, in the operator's words; absent where nothing was said |

It counts only for the dead letter that `state_of` names: one that was written under the same key since is open. Its
value is absent where value and headers together no longer fit the topic; readers then keep the dead letter's.
"""

from collections.abc import Mapping

from msgspec import Struct

from schemas import ids
from schemas.errors import Code, UnreadableRecord
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.topics import Topic

FIRST_TOPIC = "first_topic"
FIRST_PARTITION = "first_partition"
FIRST_OFFSET = "first_offset"
FIRST_TIME_MS = "first_time_ms"
FIRST_KEY = "first_key"
WRAPPED = "wrapped"
REQUEST_ID = "request_id"
CODE = "code"
REASON = "reason"
TRACEBACK = "traceback"
STATE = "state"
STATE_OF = "state_of"
STATE_LETTER_TIME_MS = "state_letter_time_ms"
STATE_TIME_MS = "state_time_ms"
STATE_BY = "state_by"
STATE_NOTE = "state_note"
_STATE_HEADERS = frozenset({STATE, STATE_OF, STATE_LETTER_TIME_MS, STATE_TIME_MS, STATE_BY, STATE_NOTE})

OPEN = "open"
"""State of a dead letter that nothing was done with."""
REPLAYED = "replayed"
"""State of a dead letter that was sent to the replay topic, and has not failed again."""
DISCARDED = "discarded"
"""State of a dead letter that an operator has decided not to use."""
STATES = (OPEN, REPLAYED, DISCARDED)

MAX_REASON = 1_000
"""Characters of a reason."""
MAX_TRACEBACK = 4_000
"""Characters of a traceback; the end is kept, which says what was raised."""
MAX_NOTE = 1_000
"""Characters of an operator's note."""

Headers = tuple[tuple[str, bytes], ...]


class Handled(Struct, frozen=True, kw_only=True):
    """What an operator did with a dead letter."""

    state: str
    """`replayed` or `discarded`; a later version may have more."""
    letter_offset: int
    """Offset, on the dead letter topic, of the dead letter that this is about."""
    letter_time_ms: int
    """Append time of that dead letter, Unix milliseconds."""
    time_ms: int
    by: str
    note: str = ""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A dead letter as its readers see it."""

    dead_letter_id: str
    value: bytes | None
    key: bytes | None
    first: RecordPosition
    code: str
    reason: str
    request_id: str | None = None
    traceback: str = ""
    wrapped: bool = False
    handled: Handled | None = None
    """What was done with it; None for the dead letter itself."""


def dead_letter(
    *,
    value: bytes | None,
    key: bytes | None,
    first: RecordPosition,
    code: str,
    reason: str,
    request_id: str | None = None,
    traceback: str = "",
    wrapped: bool = False,
) -> OutgoingRecord:
    """Return the record for the dead letter topic. `first` is where the record was first read."""
    headers = [
        (FIRST_TOPIC, first.topic.encode()),
        (FIRST_PARTITION, b"%d" % first.partition),
        (FIRST_OFFSET, b"%d" % first.offset),
        (FIRST_TIME_MS, b"%d" % first.time_ms),
    ]
    if key is not None:
        headers.append((FIRST_KEY, key))
    if wrapped:
        headers.append((WRAPPED, b"1"))
    if request_id is not None:
        headers.append((REQUEST_ID, _bytes(request_id)))
    headers.append((CODE, code.encode()))
    headers.append((REASON, _bytes(reason[:MAX_REASON])))
    if traceback:
        headers.append((TRACEBACK, _bytes(traceback[-MAX_TRACEBACK:])))
    letter_id = ids.dead_letter_id(first.topic, first.partition, first.offset)
    return OutgoingRecord(Topic.DEAD_LETTERS, letter_id.encode(), value, tuple(headers))


def handled_letter(dead_letter_id: str, value: bytes | None, headers: Headers, handled: Handled) -> OutgoingRecord:
    """Return the record that says what was done with a dead letter, given that letter's value and headers."""
    added = [
        (STATE, handled.state.encode()),
        (STATE_OF, b"%d" % handled.letter_offset),
        (STATE_LETTER_TIME_MS, b"%d" % handled.letter_time_ms),
        (STATE_TIME_MS, b"%d" % handled.time_ms),
        (STATE_BY, _bytes(handled.by)),
    ]
    if handled.note:
        added.append((STATE_NOTE, _bytes(handled.note[:MAX_NOTE])))
    return OutgoingRecord(Topic.DEAD_LETTERS, dead_letter_id.encode(), value, (*_own(headers), *added))


def replayed_letter(dead_letter_id: str, value: bytes | None, headers: Headers) -> OutgoingRecord:
    """Return the record for the replay topic: a dead letter's value and headers as they are."""
    return OutgoingRecord(Topic.REPLAY, dead_letter_id.encode(), value, _own(headers))


def _own(headers: Headers) -> Headers:
    """Return the headers of the dead letter itself, without what was done with it."""
    return tuple((name, value) for name, value in headers if name not in _STATE_HEADERS)


def parse_dead_letter(key: bytes | None, headers: Mapping[str, bytes], value: bytes | None) -> DeadLetter:
    """Return the dead letter that a record on the topic holds. Raises `UnreadableRecord`."""
    request_id = headers.get(REQUEST_ID)
    try:
        return DeadLetter(
            dead_letter_id=(key or b"").decode(),
            value=value,
            key=headers.get(FIRST_KEY),
            first=first_coordinates(headers),
            code=headers[CODE].decode(),
            reason=headers[REASON].decode(),
            request_id=None if request_id is None else request_id.decode(),
            traceback=headers.get(TRACEBACK, b"").decode(),
            wrapped=WRAPPED in headers,
            handled=_handled(headers),
        )
    except (KeyError, ValueError) as error:
        raise _unreadable(repr(error)) from error


def _handled(headers: Mapping[str, bytes]) -> Handled | None:
    if STATE not in headers:
        return None
    return Handled(
        state=headers[STATE].decode(),
        letter_offset=int(headers[STATE_OF]),
        letter_time_ms=int(headers[STATE_LETTER_TIME_MS]),
        time_ms=int(headers[STATE_TIME_MS]),
        by=headers[STATE_BY].decode(),
        note=headers.get(STATE_NOTE, b"").decode(),
    )


def first_coordinates(headers: Mapping[str, bytes]) -> RecordPosition:
    """Return where a dead letter, or its replay, was first read. Raises `UnreadableRecord`."""
    try:
        return RecordPosition(
            topic=headers[FIRST_TOPIC].decode(),
            partition=int(headers[FIRST_PARTITION]),
            offset=int(headers[FIRST_OFFSET]),
            time_ms=int(headers.get(FIRST_TIME_MS, b"0")),
        )
    except (KeyError, ValueError) as error:
        raise _unreadable(repr(error)) from error


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _unreadable(fault: str) -> UnreadableRecord:
    return UnreadableRecord(
        f"the headers of a dead letter are missing or damaged: {fault}",
        code=Code.REPLAY,
        next_step="Send dead letters again with the product's own tools, which keep the headers.",
    )
