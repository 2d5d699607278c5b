"""The second schema: which topics the rows came from."""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, Text

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Make the table of source topics. A projector binds what is there to the topics that it finds."""
    op.create_table(
        "source_topics",
        Column("topic", Text, nullable=False),
        Column("topic_id", Text, nullable=False),
        PrimaryKeyConstraint("topic"),
    )
