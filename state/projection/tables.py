"""The projection's tables. Their shape in a database comes from `migrations`; a test holds the two together.

Times are Unix milliseconds, versions are those of the batch (generation * 2**44 + inbox offset).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

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
)
"""Next offset of each input that is not yet reflected, written with the rows themselves."""

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
    Column("batch_id", Text, primary_key=True),
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
    Index("batches_newest", "registered_ms", "batch_id"),
    Index("batches_by_status", "status", "registered_ms", "batch_id"),
    Index("batches_by_owner", "owner_subject", "owner_organisation", "registered_ms", "batch_id"),
    Index("batches_by_user", "user_id", "registered_ms", "batch_id"),
    Index("batches_by_organisation", "organisation", "registered_ms", "batch_id"),
    Index("batches_by_course", "course", "registered_ms", "batch_id"),
)
"""One row for each batch that is not purged: what lists show and filter by, and the whole snapshot as JSON."""

phases = Table(
    "phases",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("phase", Text, primary_key=True),
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
    Index("phases_by_status", "phase", "status", "registered_ms", "batch_id"),
)
"""One row for each phase of each batch; `registered_ms` is the batch's, so that a list filtered by phase pages."""

purges = Table(
    "purges",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("purges_by_time", "time_ms"),
)
"""The version of each purge: an older snapshot read again does not bring the batch back."""

batch_counts = Table(
    "batch_counts",
    metadata,
    Column("status", Text, primary_key=True),
    Column("batches", BigInteger, nullable=False),
)
"""How many batches have each status; kept with every change, never counted."""

phase_counts = Table(
    "phase_counts",
    metadata,
    Column("phase", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("batches", BigInteger, nullable=False),
)
"""How many batches have each phase in each status."""

history = Table(
    "history",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("batch_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("based_on", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("request_id", Text),
    Column("record", Text, nullable=False),
    Index("history_by_batch", "batch_id", "time_ms", "offset"),
    Index("history_by_request", "request_id"),
    Index("history_by_time", "time_ms"),
)
"""One row for each inbox record: its place on the inbox and its append time, which tells two generations apart."""

chain_breaks = Table(
    "chain_breaks",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("batch_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("based_on", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Index("chain_breaks_by_batch", "batch_id"),
)
"""History records that are not based on the version that the history before them led to: state was lost."""

chain_heads = Table(
    "chain_heads",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("chain_heads_by_time", "time_ms"),
)
"""Where the history of each batch has got to: the place and the version after its last change."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Text, primary_key=True),
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
    Column("letter_offset", BigInteger, nullable=False),
    Column("batch_id", Text),
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
