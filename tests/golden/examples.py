"""Examples of every frozen format. Their bytes lie beside this file and never change: new examples are added.

`python -m tests.golden.examples` writes the files of new examples; it never overwrites one.
"""

from pathlib import Path

from schemas import ids
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import (
    history_outgoing,
    inbox_outgoing,
    operation_outgoing,
    operation_stop_outgoing,
    process_outgoing,
    status_outgoing,
    status_tombstone,
)
from schemas.outbound.render import render
from schemas.topics import TopicTable
from state.codec import encode_batch
from tests.golden.facts import BATCH, CORRELATION, EVENT
from tests.golden.operations import operations, stops
from tests.golden.processes import processes
from tests.golden.records import batches, histories, inbox_records, statuses
from tests.golden.wire import dead_letters, effects, requests


def derived_ids() -> list[str]:
    """Every kind of derived id, one a line."""
    return [
        f"namespace {ids.NAMESPACE}",
        f"keyed_batch_id {ids.keyed_batch_id('org-42', 'teacher-001', 'key-1')}",
        f"record_id {ids.record_id('topic', 2, 17)}",
        f"dead_letter_id {ids.dead_letter_id('topic', 2, 17)}",
        f"request_event_id {ids.request_event_id('request-1')}",
        f"request_correlation_id {ids.request_correlation_id('request-1')}",
        f"slot_id {ids.slot_id(BATCH, 1_040, 0)}",
        f"effect_id batch_registered {ids.effect_id(BATCH, 1_040, 'batch_registered')}",
        f"effect_id command_phase {ids.effect_id(BATCH, 1_040, 'command_phase', 'spellcheck', 1)}",
        f"attempt_correlation_id {ids.attempt_correlation_id(BATCH, 1_040, 'spellcheck', 2)}",
        f"trace_id {ids.trace_id(CORRELATION)}",
        f"span_id {ids.span_id(EVENT)}",
    ]


def operation_ids() -> list[str]:
    """Every kind of id that is derived for bulk operations, one a line."""
    return [
        f"keyed_operation_id {ids.keyed_operation_id('org-42', 'teacher-001', 'key-1')}",
        f"operation_request_id {ids.operation_request_id(EVENT, BATCH)}",
    ]


def outgoing_examples() -> dict[str, OutgoingRecord]:
    """Return every example of a record."""
    outgoing = requests() | dead_letters()
    outgoing |= {name: inbox_outgoing(record) for name, record in inbox_records().items()}
    outgoing |= {name: render(effect, TopicTable()) for name, effect in effects().items()}
    outgoing |= {name: status_outgoing(record) for name, record in statuses().items()}
    outgoing |= {name: history_outgoing(record) for name, record in histories().items()}
    outgoing |= {name: process_outgoing(record) for name, record in processes().items()}
    outgoing |= {name: operation_outgoing(record) for name, record in operations().items()}
    outgoing |= {name: operation_stop_outgoing(record) for name, record in stops().items()}
    outgoing["status-purged"] = status_tombstone(BATCH, 2_000)
    return outgoing


def examples() -> dict[str, bytes]:
    """Return every example as the text of its file."""
    found = {name: _written(record) for name, record in outgoing_examples().items()}
    found |= {name: encode_batch(batch) + b"\n" for name, batch in batches().items()}
    found["derived-ids-operations"] = "\n".join([*operation_ids(), ""]).encode()
    found["derived-ids"] = "\n".join([*derived_ids(), ""]).encode()
    return found


def _written(record: OutgoingRecord) -> bytes:
    lines = [f"topic: {record.topic}".encode(), b"key: " + record.key]
    lines += [name.encode() + b": " + value for name, value in record.headers]
    return b"\n".join([*lines, b"", b"(tombstone)" if record.value is None else record.value, b""])


def path_of(name: str) -> Path:
    """Return the path of an example."""
    return Path(__file__).parent / "bytes" / name


if __name__ == "__main__":
    for name, written in examples().items():
        if not path_of(name).exists():
            path_of(name).write_bytes(written)
