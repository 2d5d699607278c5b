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

MAX_REASON = 1_000
"""Characters of a reason."""
MAX_TRACEBACK = 4_000
"""Characters of a traceback; the end is kept, which says what was raised."""


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
        )
    except (KeyError, UnicodeDecodeError) as error:
        raise _unreadable(repr(error)) from error


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
