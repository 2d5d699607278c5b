"""The frozen formats: their bytes never change, and what was written once can be read for ever."""

import pytest

from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.records import (
    decode_history,
    decode_inbox,
    decode_operation,
    decode_process,
    decode_status,
)
from state.codec import decode_batch
from tests.golden import examples as golden
from tests.golden import operations, processes, records, wire

EXAMPLES = golden.examples()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_bytes_are_as_they_always_were(name: str) -> None:
    assert EXAMPLES[name] == golden.path_of(name).read_bytes()


def test_no_example_was_dropped() -> None:
    assert sorted(path.name for path in golden.path_of("x").parent.iterdir()) == sorted(EXAMPLES)


def value_of(name: str) -> bytes:
    return golden.path_of(name).read_bytes().partition(b"\n\n")[2].removesuffix(b"\n")


@pytest.mark.parametrize(("name", "record"), records.inbox_records().items())
def test_an_inbox_record_of_old_is_read(name: str, record: object) -> None:
    assert decode_inbox(value_of(name)) == record


@pytest.mark.parametrize(("name", "record"), records.statuses().items())
def test_a_status_of_old_is_read(name: str, record: object) -> None:
    assert decode_status(value_of(name)) == record


@pytest.mark.parametrize(("name", "record"), records.histories().items())
def test_a_history_of_old_is_read(name: str, record: object) -> None:
    assert decode_history(value_of(name)) == record


@pytest.mark.parametrize(("name", "record"), processes.processes().items())
def test_a_process_record_of_old_is_read(name: str, record: object) -> None:
    assert decode_process(value_of(name)) == record


@pytest.mark.parametrize(("name", "record"), (operations.operations() | operations.stops()).items())
def test_an_operation_of_old_is_read(name: str, record: object) -> None:
    assert decode_operation(value_of(name)) == record


@pytest.mark.parametrize(("name", "batch"), records.batches().items())
def test_a_stored_batch_of_old_is_read(name: str, batch: object) -> None:
    assert decode_batch(golden.path_of(name).read_bytes()) == batch


@pytest.mark.parametrize("name", ["dead-letter-router", "dead-letter-orchestrator", "dead-letter-discarded"])
def test_a_dead_letter_of_old_is_read(name: str) -> None:
    head, _, value = golden.path_of(name).read_bytes().partition(b"\n\n")
    lines = dict(line.split(b": ", 1) for line in head.splitlines())
    letter = parse_dead_letter(
        lines[b"key"], {name.decode(): value for name, value in lines.items()}, value.removesuffix(b"\n")
    )
    expected = wire.dead_letters()[name]
    assert letter.dead_letter_id.encode() == expected.key
    assert letter.value == expected.value
    assert letter.wrapped == (name == "dead-letter-orchestrator")
    assert letter.first.offset == 17
    assert (letter.handled is not None) == (name == "dead-letter-discarded")
