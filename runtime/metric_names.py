"""Names, help texts and labels of every metric. A label never holds an id: the number of series stays bounded."""

from typing import Final

PREFIX: Final = "batch_orchestrator"

RECORDS_READ: Final = "records_read"
RECORDS_WRITTEN: Final = "records_written"
DECISIONS: Final = "decisions"
DEAD_LETTERS: Final = "dead_letters"
CHAIN_BREAKS: Final = "chain_breaks"
UNREADABLE_RECORDS: Final = "unreadable_records"
COMMIT_SECONDS: Final = "commit_seconds"
ALIVE: Final = "alive"
ASSIGNED: Final = "assigned"
RESTORED: Final = "restored"
ASSIGNED_PARTITIONS: Final = "assigned_partitions"
LAG_SECONDS: Final = "lag_seconds"
BUILD: Final = "build"

HELP: Final[dict[str, str]] = {
    RECORDS_READ: "Records read, by topic.",
    RECORDS_WRITTEN: "Records handed to the producer, by topic.",
    DECISIONS: "Decisions, by kind of event and disposition.",
    DEAD_LETTERS: "Records that became dead letters, by error code.",
    CHAIN_BREAKS: "History records that do not follow from the version before them; each means lost state.",
    UNREADABLE_RECORDS: "Records on own topics that fit no model and were passed over, by topic.",
    COMMIT_SECONDS: "Seconds that a checkpoint took to commit.",
    ALIVE: "1 while the processing loop runs.",
    ASSIGNED: "1 while the process is a settled member of its consumer group.",
    RESTORED: "1 once local state has been read back.",
    ASSIGNED_PARTITIONS: "Partitions assigned to this process.",
    LAG_SECONDS: "Seconds behind the input; 0 while there is nothing more to read.",
    BUILD: "Version of the product and of what it runs on.",
}

LABELS: Final[dict[str, tuple[str, ...]]] = {
    RECORDS_READ: ("topic",),
    RECORDS_WRITTEN: ("topic",),
    DECISIONS: ("kind", "disposition"),
    DEAD_LETTERS: ("code",),
    UNREADABLE_RECORDS: ("topic",),
}

COMMIT_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
