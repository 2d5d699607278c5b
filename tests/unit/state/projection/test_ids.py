"""What an id stands for: of a batch, a correlation, a request, an event or a dead letter, whole or its beginning."""

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, func, select

from schemas.internal.history import NO_VERSION, EffectNote
from schemas.topics import RETENTION_MS
from state.projection import IdKind, Reader, Resolved, Writer, tables
from state.projection.event_keys import KeyKind, id_key, key_ranges
from tests.unit.state.projection.log import T0, Log, batch_id, history, letter, status

CORRELATION = "c0ffee00-0000-4000-8000-000000000001"
REQUEST = "4e905e57-0000-4000-8000-000000000001"
RECEIVED = "deadbeef-1111-4000-8000-000000000001"
COMMAND = "deadbeef-2222-5000-8000-000000000002"


@pytest.fixture
def filled(writer: Writer) -> Log:
    log = Log()
    first = history(1, 5, 5, NO_VERSION, request_id=REQUEST)
    assert first.origin is not None
    first = replace(
        first,
        origin=replace(first.origin, event_id=RECEIVED),
        effects=(EffectNote("command", COMMAND, "commands"), EffectNote("registered", "own-id", "registered")),
    )
    writer.apply(log.write_all(status(1, 5, correlation_id=CORRELATION), first, status(2, 6), letter(1)))
    return log


@pytest.mark.parametrize(
    ("text", "kind", "whole"),
    [
        (batch_id(1), IdKind.BATCH, batch_id(1)),
        ("00000001", IdKind.BATCH, batch_id(1)),
        (CORRELATION, IdKind.CORRELATION, CORRELATION),
        ("c0ffee", IdKind.CORRELATION, CORRELATION),
        (REQUEST, IdKind.REQUEST, REQUEST),
        ("4e905e57-00", IdKind.REQUEST, REQUEST),
        (RECEIVED, IdKind.EVENT, RECEIVED),
        ("deadbeef-1", IdKind.EVENT, RECEIVED),
        (COMMAND, IdKind.EVENT, COMMAND),
        ("deadbeef-2222-5000-8000-0000000000", IdKind.EVENT, COMMAND),
        ("own-id", IdKind.EVENT, "own-id"),
    ],
)
def test_an_id_or_its_beginning_is_found(text: str, kind: IdKind, whole: str, filled: Log, reader: Reader) -> None:
    assert reader.resolve(text) == Resolved(kind=kind, id=whole, batch_id=batch_id(1))


def test_a_dead_letter_is_found(filled: Log, reader: Reader) -> None:
    (stored,) = reader.dead_letters().letters
    whole = stored.letter.dead_letter_id
    assert reader.resolve(whole) == Resolved(kind=IdKind.DEAD_LETTER, id=whole, batch_id=None)
    assert reader.resolve(whole[:8]) == reader.resolve(whole)


@pytest.mark.parametrize(
    "text", ["", "c0ffe", "deadbeef", "0000000", "ffffff", "own-i", "%", "c0_fee", "\x00", "\udcff"]
)
def test_what_nothing_or_too_much_begins_with_stands_for_nothing(text: str, filled: Log, reader: Reader) -> None:
    assert reader.resolve(text) is None


def test_candidates_tell_what_a_beginning_can_stand_for(filled: Log, reader: Reader) -> None:
    assert [(each.kind, each.id) for each in reader.candidates("deadbeef")] == [
        (IdKind.EVENT, RECEIVED),
        (IdKind.EVENT, COMMAND),
    ]


def test_event_ids_go_with_the_history_that_told_of_them(
    filled: Log, writer: Writer, reader: Reader, engine: Engine
) -> None:
    writer.prune(T0 + RETENTION_MS + 1_000)
    assert reader.resolve(COMMAND) is None
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.history_ids)).scalar_one() == 0


@pytest.mark.parametrize("event_id", [RECEIVED, "own-id", "ABCDEF00-1111-4000-8000-000000000001", "", "äöü", "0123"])
@pytest.mark.parametrize("kind", list(KeyKind))
def test_the_key_of_an_id_lies_in_the_ranges_of_each_of_its_beginnings(kind: KeyKind, event_id: str) -> None:
    key = id_key(kind, event_id)
    assert 0 <= key < 2**63
    assert any(first <= key <= last for first, last in key_ranges(kind, event_id))
    if event_id == RECEIVED:
        for length in range(6, len(event_id)):
            assert any(first <= key <= last for first, last in key_ranges(kind, event_id[:length]))
