"""The projection's tables. Their shape in a database comes from `migrations`; a test holds the two together.

Times are Unix milliseconds, versions are those of the batch (generation * 2**44 + inbox offset). An index is here only
where a query of the reader, or the pruning, uses it; a test looks at the plans.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    column,
    true,
)
from sqlalchemy.dialects import postgresql

metadata = MetaData()
ID = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""An id, or what is ordered with it: compared byte by byte in either database, so that a prefix is a range."""


def _where(name: str, condition: Any, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


identity = Table(
    "identity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cluster_id", Text, nullable=False),
    Column("inbox_topic_id", Text, nullable=False),
)
"""One row: whose events these are. A projection refuses another cluster's or inbox's."""

offsets = Table(
    "offsets",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)
"""Next offset of each input that is not yet reflected, written with the rows themselves, and the newest append time
of what is reflected."""

source_topics = Table(
    "source_topics",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("topic_id", Text, nullable=False),
)
"""Id of each input topic: offsets on a topic that was deleted and created again mean other records."""

batches = Table(
    "batches",
    metadata,
    Column("batch_id", ID, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("correlation_id", ID, nullable=False),
    Column("user_id", Text),
    Column("organisation", Text),
    Column("owner_subject", Text, nullable=False),
    Column("owner_organisation", Text, nullable=False),
    Column("course", Text, nullable=False),
    Column("pipeline", Text, nullable=False),
    Column("stalled", Boolean, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("missed", Boolean, nullable=False),
    Column("attention", Text),
    Column("attention_until_ms", BigInteger),
    Column("registered_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("next_deadline_ms", BigInteger),
    Index("batches_newest", "registered_ms"),
    Index("batches_by_status", "status", "registered_ms"),
    Index("batches_by_owner", "owner_subject", "registered_ms"),
    Index("batches_by_owner_organisation", "owner_organisation", "registered_ms"),
    _where("batches_by_user", column("user_id").is_not(None), "user_id", "registered_ms"),
    _where("batches_by_organisation", column("organisation").is_not(None), "organisation", "registered_ms"),
    Index("batches_by_course", "course", "registered_ms"),
    Index("batches_by_pipeline", "pipeline", "registered_ms"),
    Index("batches_by_correlation", "correlation_id"),
    Index("batches_updated", "updated_ms"),
    _where("batches_live", column("ended_ms").is_(None), "registered_ms"),
    _where("batches_ended", column("ended_ms").is_not(None), "registered_ms"),
    _where("batches_stalled", column("stalled", Boolean) == true(), "registered_ms"),
    _where("batches_held", column("held", Boolean) == true(), "registered_ms"),
    _where("batches_paused", column("paused", Boolean) == true(), "registered_ms"),
    _where("batches_attention", column("attention").is_not(None), "registered_ms", "attention_until_ms"),
    _where("batches_attention_until", column("attention_until_ms").is_not(None), "attention_until_ms"),
    _where("batches_due", column("next_deadline_ms").is_not(None), "next_deadline_ms"),
)
"""One row for each batch that is not purged: what lists filter by. `missed`: it goes on though a phase of it failed by
its deadline. `attention`: why it needs a person, until `attention_until_ms` where that is not null.
`next_deadline_ms`: the earliest deadline that would fail or end something."""

snapshots = Table(
    "snapshots",
    metadata,
    Column("batch_id", ID, primary_key=True),
    Column("snapshot", Text, nullable=False),
)
"""The status record of each row of `batches` as JSON; apart from it, so that lists filter small rows."""

phases = Table(
    "phases",
    metadata,
    Column("batch_id", ID, nullable=False),
    Column("phase", ID, nullable=False),
    Column("status", Text, nullable=False),
    Column("registered_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("completed_ms", BigInteger),
    Column("essays", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    PrimaryKeyConstraint("registered_ms", "batch_id", "phase"),
    Index("phases_by_status", "phase", "status", "registered_ms"),
    _where("phases_running", column("status") == "dispatch_initiated", "phase", "started_ms"),
    sqlite_with_rowid=False,
)
"""One row for each phase of each batch; `registered_ms` is the batch's, so that a list filtered by phase pages,
and those of batches that live at one time lie on few pages.
`essays`: those in flight while it runs, later those that were commanded; `lost` of them did not survive it."""

purges = Table(
    "purges",
    metadata,
    Column("batch_id", ID, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("purges_by_time", "time_ms"),
)
"""The version of each purge: an older snapshot read again does not bring the batch back."""

tallies = Table(
    "tallies",
    metadata,
    Column("scope", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("phase", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many batches, phases and essays are in each state; kept with every change, never counted. See `tallies.py`."""

stats_minute = Table(
    "stats_minute",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("scope", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What happened in each minute (Unix minutes) of the last day. See `tallies.py`."""

history = Table(
    "history",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("batch_id", ID, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("request_id", ID),
    Column("record", Text, nullable=False),
    Index("history_by_time", "time_ms"),
)
"""One row for each inbox record: its place on the inbox and its append time, which tells two generations apart."""

history_ids = Table(
    "history_ids",
    metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Where the history tells of a batch, a request, or an event that was received or published. See `event_keys.py` for
the key, and `id_runs.py` for the run."""

id_runs = Table(
    "id_runs",
    metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("entries", Integer, nullable=False),
    Column("newest_ms", BigInteger, nullable=False),
)
"""Runs of `history_ids`, with the newest time that each tells of."""

chain_breaks = Table(
    "chain_breaks",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("batch_id", ID, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("based_on", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Index("chain_breaks_by_batch", "batch_id"),
)
"""History records that are not based on the version that the history before them led to: state was lost."""

chain_heads = Table(
    "chain_heads",
    metadata,
    Column("batch_id", ID, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("chain_heads_by_time", "time_ms"),
)
"""Where the history of each batch has got to: the place and the version after its last change."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", ID, primary_key=True),
    Column("log_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("request_id", ID),
    Column("time_ms", BigInteger, nullable=False),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("letter_offset", BigInteger, nullable=False),
    Column("batch_id", ID),
    Index("dead_letters_newest", "time_ms", "id"),
    Index("dead_letters_by_state", "state", "time_ms", "id"),
    Index("dead_letters_by_request", "request_id"),
    Index("dead_letters_by_code", "code", "time_ms", "id"),
    Index("dead_letters_by_batch", "batch_id", "time_ms", "id"),
)
"""One row for each dead letter. `topic`, `partition`, `offset`: where it was first read. `letter_offset` is the offset
of its newest dead letter record, `log_offset` that of the newest record at all, which can say what was done with it.
`batch_id` is null where the record does not name a batch in a way that can be read."""

unreadable = Table(
    "unreadable",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)
"""Records on the product's own topics that fit no model: written by something else, passed over, never in silence."""
