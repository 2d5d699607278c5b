"""The first schema: identity, offsets, batches, phases, history, dead letters, counts."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make every table of the first schema."""
    _batch_counts()
    _batches()
    _chain_breaks()
    _chain_heads()
    _dead_letters()
    _history()
    _identity()
    _offsets()
    _phase_counts()
    _phases()
    _purges()
    _unreadable()


def _batch_counts() -> None:
    op.create_table(
        "batch_counts",
        Column("status", Text, nullable=False),
        Column("batches", BigInteger, nullable=False),
        PrimaryKeyConstraint("status"),
    )


def _batches() -> None:
    op.create_table(
        "batches",
        Column("batch_id", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("status", Text, nullable=False),
        Column("user_id", Text),
        Column("organisation", Text),
        Column("owner_subject", Text, nullable=False),
        Column("owner_organisation", Text, nullable=False),
        Column("course", Text, nullable=False),
        Column("pipeline", Text, nullable=False),
        Column("stalled", Boolean, nullable=False),
        Column("reason", Text),
        Column("registered_ms", BigInteger, nullable=False),
        Column("updated_ms", BigInteger, nullable=False),
        Column("ended_ms", BigInteger),
        Column("next_deadline_ms", BigInteger),
        Column("expected", Integer, nullable=False),
        Column("ready", Integer, nullable=False),
        Column("unaccounted", Integer, nullable=False),
        Column("succeeded", Integer, nullable=False),
        Column("failed", Integer, nullable=False),
        Column("snapshot", Text, nullable=False),
        PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("batches_by_course", "batches", ["course", "registered_ms", "batch_id"])
    op.create_index("batches_by_organisation", "batches", ["organisation", "registered_ms", "batch_id"])
    op.create_index("batches_by_owner", "batches", ["owner_subject", "owner_organisation", "registered_ms", "batch_id"])
    op.create_index("batches_by_status", "batches", ["status", "registered_ms", "batch_id"])
    op.create_index("batches_by_user", "batches", ["user_id", "registered_ms", "batch_id"])
    op.create_index("batches_newest", "batches", ["registered_ms", "batch_id"])


def _chain_breaks() -> None:
    op.create_table(
        "chain_breaks",
        Column("partition", Integer, autoincrement=False, nullable=False),
        Column("offset", BigInteger, autoincrement=False, nullable=False),
        Column("time_ms", BigInteger, autoincrement=False, nullable=False),
        Column("batch_id", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("based_on", BigInteger, nullable=False),
        Column("expected", BigInteger, nullable=False),
        PrimaryKeyConstraint("partition", "offset", "time_ms"),
    )
    op.create_index("chain_breaks_by_batch", "chain_breaks", ["batch_id"])


def _chain_heads() -> None:
    op.create_table(
        "chain_heads",
        Column("batch_id", Text, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("time_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("chain_heads_by_time", "chain_heads", ["time_ms"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        Column("id", Text, nullable=False),
        Column("log_partition", Integer, nullable=False),
        Column("log_offset", BigInteger, nullable=False),
        Column("state", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("code", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("request_id", Text),
        Column("time_ms", BigInteger, nullable=False),
        Column("value", LargeBinary),
        Column("headers", Text, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letters_by_request", "dead_letters", ["request_id"])
    op.create_index("dead_letters_by_state", "dead_letters", ["state", "time_ms", "id"])
    op.create_index("dead_letters_newest", "dead_letters", ["time_ms", "id"])


def _history() -> None:
    op.create_table(
        "history",
        Column("partition", Integer, autoincrement=False, nullable=False),
        Column("offset", BigInteger, autoincrement=False, nullable=False),
        Column("time_ms", BigInteger, autoincrement=False, nullable=False),
        Column("batch_id", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("based_on", BigInteger, nullable=False),
        Column("kind", Text, nullable=False),
        Column("disposition", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("request_id", Text),
        Column("record", Text, nullable=False),
        PrimaryKeyConstraint("partition", "offset", "time_ms"),
    )
    op.create_index("history_by_batch", "history", ["batch_id", "time_ms", "offset"])
    op.create_index("history_by_request", "history", ["request_id"])
    op.create_index("history_by_time", "history", ["time_ms"])


def _identity() -> None:
    op.create_table(
        "identity",
        Column("id", Integer, autoincrement=False, nullable=False),
        Column("cluster_id", Text, nullable=False),
        Column("inbox_topic_id", Text, nullable=False),
        PrimaryKeyConstraint("id"),
    )


def _offsets() -> None:
    op.create_table(
        "offsets",
        Column("topic", Text, nullable=False),
        Column("partition", Integer, autoincrement=False, nullable=False),
        Column("next_offset", BigInteger, nullable=False),
        PrimaryKeyConstraint("topic", "partition"),
    )


def _phase_counts() -> None:
    op.create_table(
        "phase_counts",
        Column("phase", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("batches", BigInteger, nullable=False),
        PrimaryKeyConstraint("phase", "status"),
    )


def _phases() -> None:
    op.create_table(
        "phases",
        Column("batch_id", Text, nullable=False),
        Column("phase", Text, nullable=False),
        Column("position", Integer, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("status", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("commanded", Integer, nullable=False),
        Column("succeeded", Integer, nullable=False),
        Column("failed", Integer, nullable=False),
        Column("unaccounted", Integer, nullable=False),
        Column("started_ms", BigInteger),
        Column("completed_ms", BigInteger),
        Column("registered_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("batch_id", "phase"),
    )
    op.create_index("phases_by_status", "phases", ["phase", "status", "registered_ms", "batch_id"])


def _purges() -> None:
    op.create_table(
        "purges",
        Column("batch_id", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("time_ms", BigInteger, nullable=False),
        PrimaryKeyConstraint("batch_id"),
    )
    op.create_index("purges_by_time", "purges", ["time_ms"])


def _unreadable() -> None:
    op.create_table(
        "unreadable",
        Column("topic", Text, nullable=False),
        Column("partition", Integer, autoincrement=False, nullable=False),
        Column("offset", BigInteger, autoincrement=False, nullable=False),
        Column("time_ms", BigInteger, nullable=False),
        Column("reason", Text, nullable=False),
        PrimaryKeyConstraint("topic", "partition", "offset"),
    )
