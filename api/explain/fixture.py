"""A batch as a test: its inbox records and decisions, as a file that `tests/corpus` replays.

One JSON object a line. The first line says what the file is and how it is used; each further line is one inbox record
with the history record of its decision, in the order of the inbox. Both are text, exactly as they were in Kafka, but
that a history record was decoded and encoded again. `inbox` is null for a record that was quarantined: it is a dead
letter.
"""

from collections.abc import Sequence

from msgspec import Struct, json

from schemas.internal.codec import encode
from state.replay import RecordedEvent

FIXTURE = "batch-orchestrator-fixture"
_HOW = (
    "Save this file as tests/corpus/saved_batches/NAME.jsonl; `make unit` then decides its records again, and fails "
    "where a decision is another one. To try it at once: python -m tests.corpus.saved FILE. It holds what the client "
    "said about the batch (course, class, teacher's name, instructions), ids, and where texts lie, but no texts."
)


class FixtureHead(Struct, frozen=True, kw_only=True):
    """The first line of a fixture."""

    fixture: str
    """`batch-orchestrator-fixture`."""
    batch_id: str
    records: int
    """Number of lines that follow."""
    product_version: str
    """Version of the product that made the file, which need not be the one that decided."""
    how: str
    """How the file is used, in words."""


class FixtureRecord(Struct, frozen=True, kw_only=True):
    """One inbox record and its decision."""

    partition: int
    offset: int
    time_ms: int
    key: str
    inbox: str | None
    history: str


def fixture(batch_id: str, events: Sequence[RecordedEvent], product_version: str) -> bytes:
    """Return the file of a batch's events."""
    head = FixtureHead(
        fixture=FIXTURE, batch_id=batch_id, records=len(events), product_version=product_version, how=_HOW
    )
    lines = [json.encode(head), *(json.encode(_line(event)) for event in events)]
    return b"\n".join(lines) + b"\n"


def _line(event: RecordedEvent) -> FixtureRecord:
    history = event.history
    return FixtureRecord(
        partition=history.partition,
        offset=history.offset,
        time_ms=history.time_ms,
        key=history.batch_id,
        inbox=event.value.decode() if event.record is not None else None,
        history=encode(history).decode(),
    )
