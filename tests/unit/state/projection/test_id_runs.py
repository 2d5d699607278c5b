"""Sorted runs of ids: whatever transactions bring, all is found, and runs do not become many."""

import pytest
from sqlalchemy import Engine, func, select

from schemas.topics import RETENTION_MS
from state.projection import Reader, Writer, tables
from state.projection.id_runs import FAN, LONGEST
from tests.unit.state.projection.log import T0, Log, batch_id, history


def runs(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(select(tables.id_runs.c.entries).order_by(tables.id_runs.c.run)).scalars())


@pytest.mark.slow
def test_runs_of_one_length_become_one_and_everything_is_found_in_it(
    writer: Writer, reader: Reader, engine: Engine
) -> None:
    log, transactions = Log(), FAN * FAN + 3
    for offset in range(1, transactions + 1):
        writer.apply([log.write(history(1, offset, offset, offset - 1, request_id=f"request-{offset}"))])
    assert len(runs(engine)) < 2 * FAN
    assert sum(runs(engine)) == 3 * transactions
    told = reader.history(batch_id(1), limit=1_000).records
    assert [record.offset for record in told] == list(range(1, transactions + 1))
    for offset in (1, FAN, transactions):
        decided = reader.by_request(f"request-{offset}").decided
        assert decided is not None
        assert decided.offset == offset


def test_a_long_run_stays_as_it_is(writer: Writer, engine: Engine) -> None:
    log = Log()
    for start in (0, LONGEST):
        writer.apply([log.write(history(1, start + n, start + n, start + n - 1)) for n in range(1, LONGEST + 1)])
    assert runs(engine) == [2 * LONGEST, 2 * LONGEST]


def test_a_record_that_is_read_again_has_no_second_entry(writer: Writer, engine: Engine) -> None:
    record = Log().write(history(1, 5, 5, 4))
    for _ in range(3):
        writer.apply([record])
    assert len(runs(engine)) == 1


@pytest.mark.parametrize("newest", [False, True])
def test_a_run_goes_when_all_that_it_tells_of_is_old(
    newest: bool,  # noqa: FBT001
    writer: Writer,
    reader: Reader,
    engine: Engine,
) -> None:
    log = Log()
    old = log.write(history(1, 5, 5, 4))
    young = log.write(history(2, 5_000, 5_000, 4_999))
    writer.apply([old, young] if newest else [old])
    while writer.prune(T0 + RETENTION_MS + 1_000):
        pass
    assert len(runs(engine)) == newest
    assert reader.history(batch_id(1)).records == ()
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.history)).scalar_one() == newest
