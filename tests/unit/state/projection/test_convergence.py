"""Whatever the order of the partitions, the repeats and the replays: one log gives one projection."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from schemas.internal.enums import BatchStatus
from schemas.internal.history import NO_VERSION
from schemas.topics import Topic
from state.projection import ProjectedRecord, Reader, Writer, tables
from state.projection.compare import kept_rows
from tests.unit.state.projection.log import Log, handled, history, letter

pytestmark = pytest.mark.slow
STATUSES = (BatchStatus.AWAITING_CONTENT_VALIDATION, BatchStatus.PROCESSING_PIPELINES, BatchStatus.CANCELLED)
HAPPENINGS = (*["decide"] * 3, "stale", "purge", "lose", *["letter", "handle"] * 2)
RUNS = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, *settings().suppress_health_check]
)
Order = list[ProjectedRecord]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """What some batches go through: decisions, events without effect, purges, new lives, lost state, dead letters."""
    log, versions, inbox = Log(), dict.fromkeys(range(1, 4), NO_VERSION), 0
    for _ in range(draw(st.integers(1, 14))):
        number, inbox = draw(st.sampled_from(sorted(versions))), inbox + draw(st.integers(1, 3))
        before = versions[number]
        match draw(
            st.sampled_from(
                ["decide", "decide", "decide", "stale", "purge", "lose", "letter", "letter", "handle", "handle"]
            )
        ):
            case "letter":
                log.write(letter(draw(st.integers(0, 2)), code=f"ORC-{inbox}"))
            case "handle" if any(record.topic is Topic.DEAD_LETTERS for record in log.records):
                # Of any dead letter record, also one that a newer one has overtaken.
                letters = [record for record in log.records if record.topic is Topic.DEAD_LETTERS]
                unhandled = [record for record in letters if "state" not in dict(record.headers)]
                value = draw(st.sampled_from([None, b"value"]))
                log.write(handled(draw(st.sampled_from(unhandled)), f"state-{inbox}", value=value))
            case "purge" if before != NO_VERSION:
                log.purge(number, inbox, before)
                versions[number] = NO_VERSION
            case "stale":
                log.write(history(number, inbox, before, before))
            case "lose":
                log.step(number, inbox, max(before - 1, NO_VERSION))
                versions[number] = inbox
            case _:
                log.step(number, inbox, before, batch_status=draw(st.sampled_from(STATUSES)))
                versions[number] = inbox
    return log


@st.composite
def readings(draw: st.DrawFn) -> tuple[Log, list[Order]]:
    """A log and one way to read it: partitions interleaved, with replays from earlier offsets, in transactions."""
    log = draw(logs())
    partitions: dict[Any, Order] = {}
    for record in log.records:
        partitions.setdefault((record.topic, record.partition), []).append(record)
    read: Order = []
    at = dict.fromkeys(partitions, 0)
    replays = draw(st.integers(0, 4))
    while unread := [place for place in partitions if at[place] < len(partitions[place])]:
        place = draw(st.sampled_from(unread))
        read.append(partitions[place][at[place]])
        at[place] += 1
        if replays and draw(st.booleans()):
            replays -= 1
            back = draw(st.sampled_from(sorted(partitions, key=str)))
            at[back] = draw(st.integers(0, at[back]))
    cuts = sorted(draw(st.sets(st.integers(0, len(read)))) | {0, len(read)})
    return log, [read[start:end] for start, end in pairwise(cuts)]


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """The property is one of the code, which both databases share; the slower one has the contract tests."""
    return f"sqlite:///{tmp_path}/projection.db"


def emptied(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in tables.metadata.sorted_tables:
            connection.execute(delete(table))


def contents(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table; of counts those that are not zero."""
    found: dict[str, list[Any]] = {}
    with engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            found[table.name] = [tuple(row) for row in connection.execute(kept_rows(table))]
    return found


def in_order(log: Log, writer: Writer) -> Iterator[ProjectedRecord]:
    for record in log.records:
        writer.apply([record])
        yield record


@RUNS
@given(reading=readings())
def test_every_reading_of_a_log_gives_the_same_tables(
    reading: tuple[Log, list[Order]], writer: Writer, engine: Engine
) -> None:
    log, transactions = reading
    emptied(engine)
    list(in_order(log, writer))
    expected = contents(engine)
    emptied(engine)
    for records in transactions:
        writer.apply(records)
    assert contents(engine) == expected


@RUNS
@given(log=logs())
def test_kept_counts_are_those_that_counting_gives(log: Log, writer: Writer, reader: Reader, engine: Engine) -> None:
    emptied(engine)
    for _ in in_order(log, writer):
        counted: dict[str, int] = {}
        phases: dict[str, dict[str, int]] = {}
        with engine.connect() as connection:
            for status in connection.execute(select(tables.batches.c.status)).scalars():
                counted[status] = counted.get(status, 0) + 1
            for phase, status in connection.execute(select(tables.phases.c.phase, tables.phases.c.status)):
                of_phase = phases.setdefault(phase, {})
                of_phase[status] = of_phase.get(status, 0) + 1
        assert reader.counts().batches == counted
        assert reader.counts().phases == phases


@RUNS
@given(log=logs())
def test_offsets_and_rows_are_of_one_moment(log: Log, writer: Writer, reader: Reader, engine: Engine) -> None:
    emptied(engine)
    for record in in_order(log, writer):
        assert reader.offsets()[record.topic, record.partition] == record.offset + 1
