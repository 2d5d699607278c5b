"""The schema in a database is the one that the code asks for, whoever makes it, and however often."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from schemas.errors import ConfigurationError, ProjectionError
from state.projection import Identity, Reader, Writer, open_engine, tables
from state.projection.schema import current_revision, head_revision, migrate
from tests.patience import await_that
from tests.unit.state.projection.log import Log, batch_id, status

GOLDEN = Path(__file__).parent


# The only second schema is that of the projection, and it is made from the code.
@pytest.mark.defect(30)
def test_the_migrations_make_the_tables_that_the_code_uses(engine: Engine, writer: Writer) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_released_schema_is_frozen(tmp_path: Path) -> None:
    """What is released does not change: a change is a migration of its own, with a golden file of its own."""
    engine = open_engine(f"sqlite:///{tmp_path}/projection.db")
    migrate(engine)
    with engine.connect() as connection:
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")).scalars()
        schema = "".join(f"{' '.join(statement.split())};\n" for statement in made)
    engine.dispose()
    assert schema == (GOLDEN / f"schema-{head_revision()}.sql").read_text()


def test_migrating_again_changes_nothing(engine: Engine, writer: Writer, reader: Reader) -> None:
    writer.apply([Log().write(status(1, 5))])
    migrate(engine)
    assert len(reader.list().batches) == 1
    assert reader.ready()


def test_processes_that_start_together_make_one_schema(url: str) -> None:
    def prepare(_: int) -> None:
        engine = open_engine(url)
        await_that(lambda: prepared(engine), "the database is free")
        engine.dispose()

    def prepared(engine: Engine) -> bool:
        try:
            Writer(engine).prepare(Identity("cluster", "inbox"))
        except OperationalError as error:
            # As the projector does: it tries again while another one holds SQLite's lock for longer than it waits.
            assert "database is locked" in str(error)  # noqa: PT017 - any other error is a failure
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(4)))
    engine = open_engine(url)
    with engine.connect() as connection:
        assert current_revision(connection) == head_revision()
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(engine: Engine, writer: Writer, reader: Reader) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-NEWER"):
        writer.prepare(Identity("cluster", "inbox"))
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-NEWER"):
        reader.ready()


def test_a_file_that_vanished_is_not_written_on(tmp_path: Path) -> None:
    file = tmp_path / "projection.db"
    engine = open_engine(f"sqlite:///{file}")
    writer, log = Writer(engine), Log()
    writer.prepare(Identity("cluster", "inbox"))
    writer.apply([log.write(status(1, 5))])
    file.unlink()
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-REPLACED"):
        writer.apply([log.write(status(2, 6))])
    engine.dispose()


def test_a_reader_sees_the_database_that_replaced_the_one_it_knew(tmp_path: Path) -> None:
    file = tmp_path / "projection.db"
    engine = open_engine(f"sqlite:///{file}")
    reader, log = Reader(engine), Log()
    for number in (1, 2):
        projector = open_engine(f"sqlite:///{file}")
        writer = Writer(projector)
        writer.prepare(Identity("cluster", "inbox"))
        writer.apply([log.write(status(number, number))])
        assert [batch.batch_id for batch in reader.list().batches] == [batch_id(number)]
        projector.dispose()
        for each in tmp_path.iterdir():
            each.unlink()
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/name", "not a URL", "sqlite+nothing:///file", "oracle://host"])
def test_a_url_that_cannot_be_served_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ORC-CONFIG"):
        open_engine(url)
