"""Dead letters and history records of inbox records that cannot be processed.

Everything here is a pure function of the record and the error, so a record that is quarantined twice gives the same
bytes.
"""

import re
import traceback

from msgspec.structs import replace

from schemas.errors import Code, UnreadableRecord
from schemas.internal.dead_letters import dead_letter
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Body, Event, InboxRecord
from schemas.internal.formats import HISTORY
from schemas.internal.history import NO_VERSION, HistoryRecord, Reason
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.records import history_outgoing

MAX_DETAIL = 500
"""Characters of an error's text in a history record."""
MAX_KEY = 1_000
"""Bytes of a record's key in the history of a quarantined record; the dead letter has the whole key."""
CRASHED = Reason(
    code=ReasonCode.PROCESS_CRASHED, detail="The orchestrator has ended each time that it processed this record."
)
_TRACEBACK_FRAMES = 8
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def letter_of(event: Event, value: bytes | None, code: str, reason: str, trace: str = "") -> OutgoingRecord:
    """Return the dead letter of a record that could be decoded; its first position is that of its origin."""
    return _letter(event.batch_id.encode(), value, code, reason, event.time_ms, event, trace)


def key_mismatch_letter(
    record: InboxRecord, key: bytes | None, value: bytes | None, reason: str, time_ms: int
) -> OutgoingRecord:
    """Return the dead letter of a record under another key than its batch_id."""
    return _letter(key, value, Code.KEY_MISMATCH, reason, time_ms, record)


def unreadable_letter(
    at: RecordPosition, key: bytes | None, value: bytes | None, error: UnreadableRecord
) -> OutgoingRecord:
    """Return the dead letter of a record that could not be decoded; only its position on the inbox is known."""
    return dead_letter(value=value, key=key, first=at, code=error.code, reason=error.message, wrapped=True)


def crash_letter(at: RecordPosition, key: bytes | None, value: bytes | None) -> OutgoingRecord:
    """Return the dead letter of a record that ends the process before it is decided; its value is not looked into."""
    return dead_letter(
        value=value, key=key, first=at, code=Code.PROCESS_CRASHED, reason=str(CRASHED.detail), wrapped=True
    )


def _letter(
    key: bytes | None,
    value: bytes | None,
    code: str,
    reason: str,
    time_ms: int,
    about: Event | InboxRecord,
    trace: str = "",
) -> OutgoingRecord:
    origin = about.origin
    return dead_letter(
        value=value,
        key=key,
        first=RecordPosition(origin.topic, origin.partition, origin.offset, time_ms),
        code=code,
        reason=reason,
        request_id=getattr(about.body, "request_id", None),
        traceback=trace,
        wrapped=True,
    )


def set_aside_history(
    at: RecordPosition,
    key: bytes | None,
    reason: Reason,
    letter: OutgoingRecord,
    record: InboxRecord | None = None,
    version: int = NO_VERSION,
) -> OutgoingRecord:
    """Return the history record of an inbox record that changed nothing; it has the key of that record.

    Without `record`, which can be as large as the inbox allows, it fits every topic. `version` is the batch's.
    """
    key = (key or b"")[:MAX_KEY]
    history = HistoryRecord(
        writer=HISTORY.version,
        least_reader=HISTORY.least_reader,
        batch_id=key.decode(errors="replace"),
        partition=at.partition,
        offset=at.offset,
        time_ms=at.time_ms,
        kind="" if record is None else kind_of(record.body),
        disposition=Disposition.QUARANTINED,
        reason=reason,
        version=version,
        based_on=version,
        origin=None if record is None else record.origin,
        request_id=None if record is None else getattr(record.body, "request_id", None),
        dead_letter_id=letter.key.decode(),
    )
    return replace(history_outgoing(history), key=key)


def kind_of(body: Body) -> str:
    """Return an event's kind."""
    return str(body.__struct_config__.tag)


def error_text(error: Exception) -> str:
    """Return an exception's text without memory addresses, so that it is the same each time."""
    return _ADDRESS.sub("", f"{type(error).__name__}: {error}")[:MAX_DETAIL]


def shortened(error: Exception) -> str:
    """Return the innermost frames of an exception's traceback, without memory addresses."""
    return _ADDRESS.sub("", "".join(traceback.format_exception(error, limit=-_TRACEBACK_FRAMES)))
