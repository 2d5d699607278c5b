"""Requests to control batches: who asked what of which batch, and what came of it, the newest first."""

import pytest
from sqlalchemy import Engine, select, text

from schemas.internal.enums import Disposition
from schemas.topics import RETENTION_MS
from state.projection import EVERYTHING, Reader, Visibility, Writer, tables
from state.projection.event_keys import CONTROL_KEY
from state.projection.schema import migrate
from tests.unit.state.projection.log import T0, Log, history, status

KINDS = ("cancel", "pause", "resume", "retry")


def filled(writer: Writer) -> Log:
    log = Log()
    writer.apply(
        log.write_all(
            status(1, 1, owner_subject="anna", owner_organisation="north"),
            status(2, 2, owner_subject="bo", owner_organisation="north"),
            history(1, 1, 1, -1, kind="register", request_id="registration"),
            history(1, 10, 10, 1, kind="pause", request_id="a"),
            history(2, 11, 2, 2, kind="retry", request_id="b", disposition=Disposition.REFUSED),
            history(1, 12, 12, 10, kind="resume", request_id="c"),
            history(1, 13, 13, 12),
            history(3, 14, -1, -1, kind="cancel", request_id="d", disposition=Disposition.UNKNOWN),
        )
    )
    return log


@pytest.mark.parametrize(
    ("visibility", "found"),
    [
        (EVERYTHING, ["cancel", "resume", "retry", "pause"]),
        (Visibility(owner_subject="anna"), ["resume", "pause"]),
        (Visibility(owner_organisation="north"), ["resume", "retry", "pause"]),
        (Visibility(owner_subject="anna", owner_organisation="south"), []),
        (Visibility(owner_subject="\udcff"), []),
    ],
)
def test_the_newest_come_first_and_each_sees_its_own(
    writer: Writer, reader: Reader, visibility: Visibility, found: list[str]
) -> None:
    filled(writer)
    page = reader.control_requests(visibility)
    assert [record.kind for record in page.records] == found
    assert page.next_cursor is None


def test_pages_lead_on(writer: Writer, reader: Reader) -> None:
    filled(writer)
    first = reader.control_requests(limit=3)
    assert [record.request_id for record in first.records] == ["d", "c", "b"]
    second = reader.control_requests(after=first.next_cursor, limit=3)
    assert [record.request_id for record in second.records] == ["a"]
    assert second.next_cursor is None


def test_they_go_with_the_history(writer: Writer, reader: Reader) -> None:
    filled(writer)
    writer.prune(T0 + RETENTION_MS + 1_000)
    assert reader.control_requests().records == ()


def test_a_migration_finds_those_that_are_there(engine: Engine, writer: Writer, reader: Reader) -> None:
    filled(writer)
    with engine.begin() as connection:
        connection.execute(tables.history_ids.delete().where(tables.history_ids.c.key == CONTROL_KEY))
        connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
    assert reader.control_requests().records == ()
    migrate(engine)
    assert [record.kind for record in reader.control_requests().records] == ["cancel", "resume", "retry", "pause"]
    writer.apply(Log().write_all(history(1, 20, 20, 13, kind="pause", request_id="e")))
    assert len(reader.control_requests().records) == 5
    with engine.connect() as connection:
        runs = connection.execute(select(tables.id_runs.c.run)).scalars().all()
    assert len(set(runs)) == len(runs)
