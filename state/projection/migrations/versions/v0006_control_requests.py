"""The sixth schema: requests to control batches are found among the history's ids, under one key."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"

_KEY = 3 << 60
_KINDS = "('cancel', 'pause', 'resume', 'retry')"


def upgrade() -> None:
    """Enter those that the history has: one run more, whatever its length."""
    kind = (
        "record::json ->> 'kind'" if op.get_context().dialect.name == "postgresql" else "json_extract(record, '$.kind')"
    )
    found = f"FROM history WHERE request_id IS NOT NULL AND {kind} IN {_KINDS}"
    connection = op.get_bind()
    entries, newest_ms = connection.execute(sa.text(f"SELECT count(*), max(time_ms) {found}")).one()
    if not entries:
        return
    run = connection.execute(sa.text("SELECT coalesce(max(run), 0) + 1 FROM id_runs")).scalar_one()
    values = {"run": run, "key": _KEY, "entries": entries, "newest_ms": newest_ms}
    connection.execute(
        sa.text(f'INSERT INTO history_ids SELECT :run, :key, "partition", "offset", time_ms {found}'), values
    )
    connection.execute(sa.text("INSERT INTO id_runs VALUES (:run, :entries, :newest_ms)"), values)
