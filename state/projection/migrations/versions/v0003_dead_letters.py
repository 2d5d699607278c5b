"""The third schema: what was done with dead letters, and which batches they are about."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Add the columns. Every row is an open dead letter, whose newest record is the dead letter itself."""
    with op.batch_alter_table("dead_letters") as table:
        table.add_column(sa.Column("letter_offset", sa.BigInteger))
        table.add_column(sa.Column("batch_id", sa.Text))
    op.execute("UPDATE dead_letters SET letter_offset = log_offset")
    with op.batch_alter_table("dead_letters") as table:
        table.alter_column("letter_offset", existing_type=sa.BigInteger, nullable=False)
    op.create_index("dead_letters_by_code", "dead_letters", ["code", "time_ms", "id"])
    op.create_index("dead_letters_by_batch", "dead_letters", ["batch_id", "time_ms", "id"])
