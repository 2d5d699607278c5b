"""Dead letter records into dead letters."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from schemas.errors import UnreadableRecord
from schemas.internal.dead_letters import OPEN, DeadLetter, Headers, parse_dead_letter
from state.projection import tables
from state.projection.models import ProjectedRecord
from state.projection.sql import Row, text, upsert_about, upsert_newer

encode_headers = msgspec.json.Encoder().encode
decode_headers = msgspec.json.Decoder(Headers).decode


class _Data(msgspec.Struct):
    batch_id: str


class _Envelope(msgspec.Struct):
    data: _Data


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class Letter(NamedTuple):
    """A dead letter, or what was done with one, and the record that brought it."""

    letter: DeadLetter
    log: ProjectedRecord


def read_letter(log: ProjectedRecord) -> Letter:
    """Read a record of the dead letter topic. Raises `UnreadableRecord`."""
    letter = parse_dead_letter(log.key, dict(log.headers), log.value)
    if not letter.dead_letter_id:
        raise UnreadableRecord("a dead letter has no key", next_step="Find out who wrote it.")
    return Letter(letter, log)


def apply_letters(connection: Connection, letters: Iterable[Letter]) -> frozenset[str]:
    """Keep the newest record of each dead letter, and what was done with that one. Returns the batches they are about.

    Dead letters go first: what was done with a dead letter counts only for the newest one under its key, so that the
    result is the same whatever records one transaction holds.
    """
    handled, newest = [], {}
    for letter in letters:
        if letter.letter.handled is None:
            newest[letter.letter.dead_letter_id] = letter
        else:
            handled.append(letter)
    table = tables.dead_letters
    letters_rows = [_row(letter) for letter in newest.values()]
    handled_rows = [_row(new) for new in handled]
    upsert_newer(connection, table, letters_rows, by="letter_offset")
    upsert_about(connection, table, handled_rows, same="letter_offset", by="log_offset", keep="value")
    batches = (row["batch_id"] for row in (*letters_rows, *handled_rows))
    return frozenset(batch_id for batch_id in batches if batch_id is not None)


def _row(new: Letter) -> Row:
    letter, handled = new.letter, new.letter.handled
    batch_id = batch_of(letter)
    return {
        "id": text(letter.dead_letter_id),
        "log_partition": new.log.partition,
        "log_offset": new.log.offset,
        "state": OPEN if handled is None else text(handled.state),
        "topic": text(letter.first.topic),
        "partition": letter.first.partition,
        "offset": letter.first.offset,
        "code": text(letter.code),
        "reason": text(letter.reason),
        "request_id": None if letter.request_id is None else text(letter.request_id),
        "time_ms": new.log.time_ms if handled is None else handled.letter_time_ms,
        "value": letter.value,
        "headers": encode_headers(new.log.headers).decode(),
        "letter_offset": new.log.offset if handled is None else handled.letter_offset,
        "batch_id": None if batch_id is None else text(batch_id),
    }


def batch_of(letter: DeadLetter) -> str | None:
    """Return the batch that a dead letter is about, where that can be read."""
    if letter.wrapped:
        return (letter.key or b"").decode(errors="replace") or None
    try:
        return _decode_envelope(letter.value or b"").data.batch_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
