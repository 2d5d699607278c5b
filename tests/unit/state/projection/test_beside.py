"""A new projection beside the live one takes its place at once, and who uses the old one goes on with the new one."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from schemas.errors import ProjectionError
from schemas.topics import Topic
from state.projection import Beside, Horizon, Identity, ProjectedRecord, Reader, Writer, beside, open_engine, pinned
from state.projection.compare import differences
from tests.unit.state.projection.log import T0, Log, batch_id, history, letter

pytestmark = pytest.mark.slow
IDENTITY = Identity("cluster", "inbox")


def filled(pair: Beside, records: list[ProjectedRecord]) -> Writer:
    """Fill the new projection."""
    fresh = Writer(pair.fresh)
    fresh.prepare(IDENTITY)
    fresh.apply(records)
    return fresh


def no_more(_offsets: object) -> None:
    """Nothing is missing in the new one."""


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_new_projection_takes_the_place_of_the_live_one(url: str, log: Log, writer: Writer, reader: Reader) -> None:
    kept, lost = log.step(1, 5), log.step(2, 6)
    writer.apply([*kept, *lost])
    for records in ([*kept], [*kept, *lost], [*lost]):  # again and again, as operators do
        with beside(url) as pair:
            filled(pair, records)
            assert len(reader.list().batches) > 0
            pair.swap(IDENTITY, no_more)
        assert {batch.batch_id for batch in reader.list().batches} == {
            record.key.decode() for record in records if record.topic is Topic.STATUS and record.key
        }
    other = open_engine(url)
    assert [batch.batch_id for batch in Reader(other).list().batches] == [batch_id(2)]
    other.dispose()


def test_the_writer_goes_on_with_the_new_one(url: str, log: Log, writer: Writer, reader: Reader) -> None:
    first = log.step(1, 5)
    writer.apply(first)
    with beside(url) as pair:
        filled(pair, first)
        pair.swap(IDENTITY, no_more)
    writer.apply(log.step(2, 6))
    writer.apply(log.step(1, 9, 5))
    assert {batch.version for batch in reader.list().batches} == {9, 6}
    assert reader.chain_breaks() == ()


def test_the_new_one_catches_up_before_it_is_used(url: str, log: Log, writer: Writer, reader: Reader) -> None:
    first = log.step(1, 5)
    writer.apply(first)
    with beside(url) as pair:
        fresh = filled(pair, first)
        late = log.step(2, 6)
        writer.apply(late)
        asked: list[object] = []

        def catch_up(offsets: object) -> None:
            asked.append(offsets)
            fresh.apply(late)

        reached = writer.offsets()
        pair.swap(IDENTITY, catch_up)
    assert asked == [reached]
    assert len(reader.list().batches) == 2


def test_what_was_not_swapped_in_leaves_nothing(url: str, log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply(log.step(1, 5))
    with suppress(ZeroDivisionError), beside(url) as pair:
        filled(pair, [])
        raise ZeroDivisionError
    assert len(reader.list().batches) == 1
    with beside(url) as pair:
        filled(pair, [])
    assert len(reader.list().batches) == 1


def test_two_do_not_rebuild_at_once(url: str, writer: Writer) -> None:
    with beside(url), pytest.raises(ProjectionError, match="Another rebuild"), beside(url):
        pass
    with beside(url):
        pass


def test_a_projection_that_was_wiped_is_put_in_its_place(url: str, log: Log, engine: Engine) -> None:
    with beside(url) as pair:
        filled(pair, log.step(1, 5))
        pair.swap(IDENTITY, no_more)
    assert len(Reader(engine).list().batches) == 1


def test_a_file_that_lacks_what_was_written_is_not_gone_on_with(tmp_path: Path, log: Log) -> None:
    file = tmp_path / "projection.db"
    engine = open_engine(f"sqlite:///{file}")
    writer = Writer(engine)
    writer.prepare(IDENTITY)
    writer.apply(log.step(1, 5))
    engine.dispose()  # which leaves no log beside the file
    older = shutil.copy(file, tmp_path / "older.db")
    writer.apply(log.step(2, 6))
    engine.dispose()
    Path(older).replace(file)
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-REPLACED"):
        writer.apply(log.step(3, 7))
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("SELECT 1", []),
        (
            "UPDATE tallies SET n = 7 WHERE scope = 0 AND kind = 'batch'",
            ["tallies 0, batch, , processing_pipelines: n is 7, should be 2"],
        ),
        (
            "UPDATE batches SET course = 'X' WHERE version = 5",
            [f"batches {batch_id(1)}: course is 'X', should be 'ENG5'"],
        ),
        (
            "DELETE FROM phases WHERE phase = 'spellcheck' AND registered_ms = 1700000000001",
            [f"phases 1700000000001, {batch_id(1)}, spellcheck: only in the fresh projection"],
        ),
        ("INSERT INTO purges VALUES ('gone', 3, 4)", []),
        ("UPDATE offsets SET next_offset = 99", []),
    ],
)
def test_differences_are_told_row_for_row(
    statement: str, lines: list[str], url: str, log: Log, writer: Writer, engine: Engine
) -> None:
    records = [*log.step(1, 5), *log.step(2, 6), *log.write_all(letter(1), history(1, 7, 5, 5))]
    writer.apply(records)
    with engine.begin() as connection:
        connection.execute(text(statement))
    with beside(url) as pair:
        filled(pair, records)
        with pinned(pair.live) as live, pinned(pair.fresh) as fresh:
            found = [each.line() for each in differences(live, fresh, Horizon(now_ms=T0))]
    assert found == lines


def test_what_the_topics_no_longer_hold_is_no_difference(url: str, log: Log, writer: Writer) -> None:
    old, new = log.step(1, 5), log.write_all(history(1, 9, 5, 5))
    writer.apply([*old, *new])
    with beside(url) as pair:
        filled(pair, [old[0], *new])
        with pinned(pair.live) as live, pinned(pair.fresh) as fresh:
            found = [each.table for each in differences(live, fresh, Horizon(now_ms=T0, history_ms=T0 + 9))]
            full = {each.table for each in differences(live, fresh, Horizon(now_ms=T0))}
    assert found == []
    assert "history" in full
