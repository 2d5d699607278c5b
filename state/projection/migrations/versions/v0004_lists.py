"""The fourth schema: what lists filter by, kept numbers, and ids that can be looked for.

What it derives from records is not in the tables before it. It therefore makes all tables anew, without rows and
without offsets: the projector reads its topics from their beginning, as it does with a new database.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision: str | None = "0003"

_ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_REPLACED = (
    "batch_counts",
    "batches",
    "chain_breaks",
    "chain_heads",
    "dead_letters",
    "history",
    "offsets",
    "phase_counts",
    "phases",
    "purges",
    "unreadable",
)


def upgrade() -> None:
    """Make the tables; what remains is whose events they are."""
    for name in _REPLACED:
        op.drop_table(name)
    _batches()
    _phases()
    _history()
    _chains()
    _dead_letters()
    _kept_numbers()
    _places()


def _key(name: str, kind: sa.types.TypeEngine[int]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("correlation_id", _ID, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("organisation", sa.Text),
        sa.Column("owner_subject", sa.Text, nullable=False),
        sa.Column("owner_organisation", sa.Text, nullable=False),
        sa.Column("course", sa.Text, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("stalled", sa.Boolean, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("missed", sa.Boolean, nullable=False),
        sa.Column("attention", sa.Text),
        sa.Column("attention_until_ms", sa.BigInteger),
        sa.Column("registered_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("next_deadline_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_table(
        "snapshots",
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("batches_newest", "batches", ["registered_ms"])
    op.create_index("batches_by_status", "batches", ["status", "registered_ms"])
    op.create_index("batches_by_owner", "batches", ["owner_subject", "registered_ms"])
    op.create_index("batches_by_owner_organisation", "batches", ["owner_organisation", "registered_ms"])
    op.create_index("batches_by_course", "batches", ["course", "registered_ms"])
    op.create_index("batches_by_pipeline", "batches", ["pipeline", "registered_ms"])
    op.create_index("batches_by_correlation", "batches", ["correlation_id"])
    op.create_index("batches_updated", "batches", ["updated_ms"])
    _partial("batches_by_user", sa.column("user_id").is_not(None), "user_id", "registered_ms")
    _partial("batches_by_organisation", sa.column("organisation").is_not(None), "organisation", "registered_ms")
    _partial("batches_live", sa.column("ended_ms").is_(None), "registered_ms")
    _partial("batches_ended", sa.column("ended_ms").is_not(None), "registered_ms")
    for name in ("stalled", "held", "paused"):
        _partial(f"batches_{name}", sa.column(name, sa.Boolean) == sa.true(), "registered_ms")
    _partial("batches_attention", sa.column("attention").is_not(None), "registered_ms", "attention_until_ms")
    _partial("batches_attention_until", sa.column("attention_until_ms").is_not(None), "attention_until_ms")
    _partial("batches_due", sa.column("next_deadline_ms").is_not(None), "next_deadline_ms")


def _partial(name: str, condition: sa.ColumnElement[bool], *columns: str, table: str = "batches") -> None:
    op.create_index(name, table, list(columns), sqlite_where=condition, postgresql_where=condition)


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
        sa.PrimaryKeyConstraint("batch_id", "phase"),
        sqlite_with_rowid=False,
    )
    op.create_index("phases_by_status", "phases", ["phase", "status", "registered_ms"])
    running = sa.column("status") == "dispatch_initiated"
    _partial("phases_running", running, "phase", "started_ms", table="phases")


def _history() -> None:
    op.create_table(
        "history",
        _key("partition", sa.Integer()),
        _key("offset", sa.BigInteger()),
        _key("time_ms", sa.BigInteger()),
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("disposition", sa.Text, nullable=False),
        sa.Column("request_id", _ID),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", "time_ms"),
    )
    op.create_index("history_by_batch", "history", ["batch_id", "time_ms", "offset"])
    _partial("history_by_request", sa.column("request_id").is_not(None), "request_id", table="history")
    op.create_index("history_by_time", "history", ["time_ms"])
    op.create_table(
        "event_ids",
        _key("key", sa.BigInteger()),
        _key("partition", sa.Integer()),
        _key("offset", sa.BigInteger()),
        _key("time_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key", "partition", "offset", "time_ms"),
        sqlite_with_rowid=False,
    )


def _chains() -> None:
    op.create_table(
        "chain_breaks",
        _key("partition", sa.Integer()),
        _key("offset", sa.BigInteger()),
        _key("time_ms", sa.BigInteger()),
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("based_on", sa.BigInteger, nullable=False),
        sa.Column("expected", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", "time_ms"),
    )
    op.create_index("chain_breaks_by_batch", "chain_breaks", ["batch_id"])
    op.create_table(
        "chain_heads",
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("chain_heads_by_time", "chain_heads", ["time_ms"])
    op.create_table(
        "purges",
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("purges_by_time", "purges", ["time_ms"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _ID, nullable=False),
        sa.Column("log_partition", sa.Integer, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("request_id", _ID),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.LargeBinary),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("letter_offset", sa.BigInteger, nullable=False),
        sa.Column("batch_id", _ID),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letters_newest", "dead_letters", ["time_ms", "id"])
    op.create_index("dead_letters_by_state", "dead_letters", ["state", "time_ms", "id"])
    op.create_index("dead_letters_by_request", "dead_letters", ["request_id"])
    op.create_index("dead_letters_by_code", "dead_letters", ["code", "time_ms", "id"])
    op.create_index("dead_letters_by_batch", "dead_letters", ["batch_id", "time_ms", "id"])


def _kept_numbers() -> None:
    op.create_table(
        "tallies",
        _key("scope", sa.BigInteger()),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope", "kind", "phase", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stats_minute",
        _key("minute", sa.BigInteger()),
        _key("scope", sa.BigInteger()),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("minute", "scope", "kind", "name"),
        sqlite_with_rowid=False,
    )


def _places() -> None:
    op.create_table(
        "offsets",
        sa.Column("topic", sa.Text, nullable=False),
        _key("partition", sa.Integer()),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "unreadable",
        sa.Column("topic", sa.Text, nullable=False),
        _key("partition", sa.Integer()),
        _key("offset", sa.BigInteger()),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
    )
