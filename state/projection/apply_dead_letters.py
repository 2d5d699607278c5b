"""Dead letter records into dead letters."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from schemas.errors import UnreadableRecord
from schemas.internal.dead_letters import DeadLetter, parse_dead_letter
from state.projection import tables
from state.projection.models import ProjectedRecord
from state.projection.sql import Row, text, upsert_newer

OPEN = "open"
"""State of a dead letter that nothing was done with."""
Headers = tuple[tuple[str, bytes], ...]

encode_headers = msgspec.json.Encoder().encode
decode_headers = msgspec.json.Decoder(Headers).decode


class Letter(NamedTuple):
    """A dead letter and the record that brought it."""

    letter: DeadLetter
    log: ProjectedRecord


def read_letter(log: ProjectedRecord) -> Letter:
    """Read a record of the dead letter topic. Raises `UnreadableRecord`."""
    letter = parse_dead_letter(log.key, dict(log.headers), log.value)
    if not letter.dead_letter_id:
        raise UnreadableRecord("a dead letter has no key", next_step="Find out who wrote it.")
    return Letter(letter, log)


def apply_letters(connection: Connection, letters: Iterable[Letter]) -> None:
    """Keep the newest record of each dead letter."""
    newest = {letter.letter.dead_letter_id: letter for letter in letters}
    upsert_newer(connection, tables.dead_letters, [_row(letter) for letter in newest.values()], by="log_offset")


def _row(new: Letter) -> Row:
    letter = new.letter
    return {
        "id": text(letter.dead_letter_id),
        "log_partition": new.log.partition,
        "log_offset": new.log.offset,
        "state": OPEN,
        "topic": text(letter.first.topic),
        "partition": letter.first.partition,
        "offset": letter.first.offset,
        "code": text(letter.code),
        "reason": text(letter.reason),
        "request_id": None if letter.request_id is None else text(letter.request_id),
        "time_ms": new.log.time_ms,
        "value": letter.value,
        "headers": encode_headers(new.log.headers).decode(),
    }
