"""The schema of the projection database, under migrations that travel with the package."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from schemas.errors import Code, ProjectionError
from state.projection.engine import for_writing

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x626F735F70726F6A
"""Key of the PostgreSQL advisory lock that two migrating processes share."""


def migrate(engine: Engine) -> None:
    """Bring the schema to what this code needs. Raises `ProjectionError` where a newer version made the database."""
    with for_writing(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        revision = current_revision(connection)
        if revision == head_revision():
            return
        _refuse_newer(revision)
        command.upgrade(_config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Tell whether the database has the schema of this code. A reader that starts before the projector waits for it.

    Raises `ProjectionError` where a newer version of the product made the database.
    """
    revision = current_revision(connection)
    _refuse_newer(revision)
    return revision == head_revision()


def current_revision(connection: Connection) -> str | None:
    """Return the schema's revision in the database; None where there is no schema."""
    return MigrationContext.configure(connection).get_current_revision()


@cache
def head_revision() -> str:
    """Return the revision that this code needs."""
    head = _scripts().get_current_head()
    assert head is not None
    return head


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in _known_revisions():
        raise ProjectionError(
            f"The projection database has schema {revision}, which this version does not know.",
            next_step="Upgrade this process to the version that made it, or point PROJECTION_URL at a new database.",
            code=Code.PROJECTION_NEWER,
        )


@cache
def _known_revisions() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _MIGRATIONS.as_posix())
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
