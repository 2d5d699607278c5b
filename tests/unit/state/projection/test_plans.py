"""What SQLite does for each read: it goes through indexes, and every index is there for some read, or for pruning."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect

from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.topics import RETENTION_MS
from state.projection import EVERYTHING, BatchFilter, LetterFilter, Reader, Visibility, Writer, tables
from tests.unit.state.projection.log import T0, Log, batch_id, history, letter, status
from tests.unit.state.projection.test_lists import FILTERS, VISIBILITIES

SMALL = {"tallies", "stats_minute", "offsets", "identity", "source_topics", "unreadable", "chain_breaks", "id_runs"}
"""Tables that are scanned in places: they have few rows, or none."""


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Any, migrated_file: Any) -> str:
    """PostgreSQL plans by the numbers of rows, of which tests have few."""
    (tmp_path / "projection.db").write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{tmp_path}/projection.db"


class Plans:
    """The plans of all statements since."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        """A statement, and one step of its plan."""

    def indexes(self) -> set[str]:
        return {found for _, step in self.steps for found in re.findall(r"INDEX (\w+)", step)}

    def scans(self) -> list[tuple[str, str]]:
        """Steps that go through a table, or through an index that has an entry for each of its rows."""
        scans = [(sql, step, found[1]) for sql, step in self.steps if (found := re.match(r"SCAN (\w+)", step))]
        large = {table.name for table in tables.metadata.sorted_tables} - SMALL
        return [(sql, step) for sql, step, name in scans if name in large]


@contextmanager
def planned(engine: Engine) -> Iterator[Plans]:
    plans = Plans()

    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:  # noqa: FBT001
        if not statement.startswith(("SELECT", "DELETE", "UPDATE")):
            return
        given = parameters[0] if many else parameters
        plan = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
        plans.steps += [(statement, step[3]) for step in plan]

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def read_everything(reader: Reader) -> None:
    """Ask each read once, and each list with each filter."""
    for filters in FILTERS:
        for visibility in VISIBILITIES:
            page = reader.list(filters, visibility, limit=1)
            reader.list(filters, visibility, cursor=page.next_cursor, limit=1)
            reader.ids(filters, visibility, limit=1)
            reader.count(filters, visibility, most=10)
    for visibility in VISIBILITIES:
        reader.control_requests(visibility)
        reader.counts(visibility)
        reader.stats(T0, visibility)
    reader.usuals()
    reader.resolve(batch_id(1)[:8])
    reader.get(batch_id(1))
    reader.history(batch_id(1))
    reader.by_request("r1")
    reader.open_letters((batch_id(1), batch_id(2)))
    reader.chain_breaks()
    for wanted in (LetterFilter(), LetterFilter(code="A"), LetterFilter(state="open"), LetterFilter(batch_id="1")):
        reader.dead_letters(wanted)
    reader.dead_letters(LetterFilter(request_id="r1"))


@pytest.fixture
def filled(writer: Writer) -> Log:
    log = Log()
    for number in range(1, 40):
        given: dict[str, Any] = {"stalled": number % 3 == 0, "held": number % 5 == 0, "owner_subject": f"o{number % 4}"}
        log.step(number, number, **given)
    log.write_all(history(1, 100, 100, 1, request_id="r1"), letter(1))
    writer.apply(log.records)
    return log


@pytest.mark.slow
def test_no_read_of_the_projection_goes_through_a_whole_table(filled: Log, engine: Engine, reader: Reader) -> None:
    with planned(engine) as plans:
        read_everything(reader)
    # These go in the order of the list and stop at its length, or have rows for little more than what is asked.
    led = {"batches_newest", "batches_live", "batches_ended", "batches_stalled", "batches_held", "batches_paused"}
    led |= {"batches_attention", "dead_letters_newest"}
    unled = [(sql, step) for sql, step in plans.scans() if not set(re.findall(r"INDEX (\w+)", step)) & led]
    assert unled == []


@pytest.mark.slow
def test_every_index_is_used(filled: Log, engine: Engine, writer: Writer, reader: Reader) -> None:
    with planned(engine) as plans:
        read_everything(reader)
        writer.apply(filled.write_all(status(1, 1_000), history(1, 1_000, 1_000, 100), letter(1)))
        writer.prune(T0 + RETENTION_MS + 5)
    made = {index["name"] for name in inspect(engine).get_table_names() for index in inspect(engine).get_indexes(name)}
    assert made - plans.indexes() == set()


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (BatchFilter(), "batches_newest"),
        (BatchFilter(status=(BatchStatus.PROCESSING_PIPELINES,), owner="o1"), "batches_by_owner"),
        (BatchFilter(stalled=True, phase="spellcheck", phase_status=PhaseStatus.DISPATCH_INITIATED), "batches_stalled"),
        (BatchFilter(status=(BatchStatus.PROCESSING_PIPELINES,), course="none"), "batches_by_course"),
        (BatchFilter(ended=True, held=True), "batches_ended"),
        (BatchFilter(updated_from_ms=T0 + 39), "batches_updated"),
    ],
)
def test_the_index_with_the_rarest_values_leads(
    filters: BatchFilter, index: str, filled: Log, engine: Engine, reader: Reader
) -> None:
    with planned(engine) as plans:
        reader.list(filters)
    lists = [step for sql, step in plans.steps if sql.startswith("SELECT batches.registered_ms") and "INDEX" in step]
    assert index in lists[0]


def test_a_page_of_one_owner_reads_no_other_owners(engine: Engine, writer: Writer) -> None:
    """The page lies behind 500 batches of another owner, which are newer."""
    log = Log()
    log.write(status(1, 1, owner_subject="ann"))
    log.write_all(*(status(number, number, owner_subject="bo") for number in range(2, 502)))
    writer.apply(log.records)
    seen = Visibility(owner_subject="ann", owner_organisation="")
    with planned(engine) as plans:
        assert len(Reader(engine).list(BatchFilter(), seen).batches) == 1
        assert Reader(engine).list(BatchFilter(owner="ann"), EVERYTHING).batches
    assert any("batches_by_owner (owner_subject=?" in step for _, step in plans.steps)
