"""The fifth schema: ids of the history in sorted runs, and phases by the time of registration.

The keys of batches and requests are not in the tables before it. It therefore empties them: the projector reads its
topics from their beginning, as it does with a new database.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision: str | None = "0004"

_ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_EMPTIED = (
    "batches",
    "chain_breaks",
    "chain_heads",
    "dead_letters",
    "history",
    "offsets",
    "purges",
    "snapshots",
    "stats_minute",
    "tallies",
    "unreadable",
)


def upgrade() -> None:
    """Make the tables; what remains is whose events they are."""
    for name in _EMPTIED:
        op.execute(f"DELETE FROM {name}")  # noqa: S608 - the names are above
    op.drop_index("history_by_batch", "history")
    op.drop_index("history_by_request", "history")
    op.drop_table("event_ids")
    op.drop_table("phases")
    _phases()
    _ids()


def _key(name: str, kind: sa.types.TypeEngine[int]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _phases() -> None:
    op.create_table(
        "phases",
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("phase", _ID, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("registered_ms", sa.BigInteger, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("completed_ms", sa.BigInteger),
        sa.Column("essays", sa.Integer, nullable=False),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("registered_ms", "batch_id", "phase"),
        sqlite_with_rowid=False,
    )
    op.create_index("phases_by_status", "phases", ["phase", "status", "registered_ms"])
    running = sa.column("status") == "dispatch_initiated"
    op.create_index("phases_running", "phases", ["phase", "started_ms"], sqlite_where=running, postgresql_where=running)


def _ids() -> None:
    op.create_table(
        "history_ids",
        _key("run", sa.BigInteger()),
        _key("key", sa.BigInteger()),
        _key("partition", sa.Integer()),
        _key("offset", sa.BigInteger()),
        _key("time_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("run", "key", "partition", "offset", "time_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "id_runs",
        _key("run", sa.BigInteger()),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("newest_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("run"),
    )
