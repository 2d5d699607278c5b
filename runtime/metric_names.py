"""Names, help texts and labels of every metric, and which kind of process exports it.

A label never holds an id, so the number of series is bounded. Every event is counted once: no metric comes both from
the api and from the processes that do the work, so a sum over all processes is correct.
"""

from typing import Final

PREFIX: Final = "batch_orchestrator"

RECORDS_READ: Final = "records_read"
RECORDS_WRITTEN: Final = "records_written"
DECISIONS: Final = "decisions"
DEAD_LETTERS: Final = "dead_letters"
CHAIN_BREAKS: Final = "chain_breaks"
UNREADABLE_RECORDS: Final = "unreadable_records"
COMMIT_SECONDS: Final = "commit_seconds"
PROJECTION_COMMIT_SECONDS: Final = "projection_commit_seconds"
ALIVE: Final = "alive"
ASSIGNED: Final = "assigned"
RESTORED: Final = "restored"
ASSIGNED_PARTITIONS: Final = "assigned_partitions"
LAG_SECONDS: Final = "lag_seconds"
BUILD: Final = "build"
DEADLINES_ARMED: Final = "deadlines_armed"
DEADLINES_DUE: Final = "deadlines_due"
DEADLINE_LATENESS_SECONDS: Final = "deadline_lateness_seconds"
DEADLINE_GATE_AGE_SECONDS: Final = "deadline_gate_age_seconds"

HTTP_REQUESTS: Final = "http_requests"
HTTP_REQUEST_SECONDS: Final = "http_request_duration_seconds"
BATCH_OPERATIONS: Final = "batch_operations"
BATCHES_REGISTERED: Final = "batches_registered"
BATCHES_ENDED: Final = "batches_ended"
PROCESS_LAG_SECONDS: Final = "process_lag_seconds"
PROCESS_MEMBERS: Final = "process_members"
HEALTHY: Final = "healthy"
API_READY: Final = "api_ready"
API_HELD_BATCHES: Final = "api_held_batches"
API_PROJECTION_READABLE: Final = "api_projection_readable"
API_STREAMS: Final = "api_streams"
API_STREAMS_ENDED: Final = "api_streams_ended"

UNPREFIXED: Final = frozenset({HTTP_REQUESTS, HTTP_REQUEST_SECONDS, BATCH_OPERATIONS})
"""Metrics with the names of the original service; every other name has the prefix."""

_STREAM: Final = frozenset({"router", "orchestrator", "projector", "timekeeper"})
_TIMEKEEPER: Final = frozenset({"timekeeper"})
_API: Final = frozenset({"api"})

EXPORTED_BY: Final[dict[str, frozenset[str]]] = {
    # Each record is counted where it is read and where it is written, each dead letter by the process that wrote it.
    RECORDS_READ: _STREAM,
    RECORDS_WRITTEN: frozenset({"router", "orchestrator", "timekeeper"}),
    DEAD_LETTERS: frozenset({"router", "orchestrator"}),
    DECISIONS: frozenset({"orchestrator"}),
    COMMIT_SECONDS: frozenset({"orchestrator"}),
    PROJECTION_COMMIT_SECONDS: frozenset({"projector"}),
    CHAIN_BREAKS: frozenset({"projector"}),
    UNREADABLE_RECORDS: frozenset({"projector", "timekeeper"}),
    DEADLINES_ARMED: _TIMEKEEPER,
    DEADLINES_DUE: _TIMEKEEPER,
    DEADLINE_LATENESS_SECONDS: _TIMEKEEPER,
    DEADLINE_GATE_AGE_SECONDS: _TIMEKEEPER,
    # The state of the process that exports it.
    ALIVE: _STREAM,
    ASSIGNED: _STREAM,
    RESTORED: _STREAM,
    ASSIGNED_PARTITIONS: _STREAM,
    LAG_SECONDS: _STREAM,
    BUILD: _STREAM,
    HTTP_REQUESTS: _API,
    HTTP_REQUEST_SECONDS: _API,
    BATCH_OPERATIONS: _API,
    BATCHES_REGISTERED: _API,
    BATCHES_ENDED: _API,
    PROCESS_LAG_SECONDS: _API,
    PROCESS_MEMBERS: _API,
    HEALTHY: _API,
    API_READY: _API,
    API_HELD_BATCHES: _API,
    API_PROJECTION_READABLE: _API,
    API_STREAMS: _API,
    API_STREAMS_ENDED: _API,
}
"""The kinds of process (`router`, `orchestrator`, `projector`, `timekeeper`, `api`) that export each metric."""

HELP: Final[dict[str, str]] = {
    RECORDS_READ: "Records read, by topic.",
    RECORDS_WRITTEN: "Records handed to the producer, by topic.",
    DECISIONS: "Decisions, by kind of event and disposition.",
    DEAD_LETTERS: "Records that became dead letters, by error code.",
    CHAIN_BREAKS: "History records that do not follow from the version before them; each means lost state.",
    UNREADABLE_RECORDS: "Records on own topics that fit no model and were skipped, by topic.",
    COMMIT_SECONDS: "Seconds that a transaction took to commit in Kafka.",
    PROJECTION_COMMIT_SECONDS: "Seconds that a transaction of the projection database took.",
    ALIVE: "1 while the processing loop runs.",
    ASSIGNED: "1 while the process is a stable member of its consumer group.",
    RESTORED: "1 once local state has been restored.",
    ASSIGNED_PARTITIONS: "Partitions assigned to this process.",
    LAG_SECONDS: "Seconds behind the input; 0 while there is nothing more to read.",
    BUILD: "Version of the product and of what it runs on.",
    DEADLINES_ARMED: "Batches with an armed deadline, on the assigned partitions.",
    DEADLINES_DUE: "Deadlines that have passed and wait to be fired, counted up to 2,000 for each partition.",
    DEADLINE_LATENESS_SECONDS: "Seconds from a deadline to the append of its inbox record.",
    DEADLINE_GATE_AGE_SECONDS: "Seconds since the router was last seen to have passed the ends of its inputs.",
    HTTP_REQUESTS: "HTTP requests.",
    HTTP_REQUEST_SECONDS: "Seconds from an HTTP request to the end of its answer; of a stream, to its begin.",
    BATCH_OPERATIONS: "Operations on batches, by result.",
    BATCHES_REGISTERED: "Batches that began.",
    BATCHES_ENDED: "Batches that ended, by final status.",
    PROCESS_LAG_SECONDS: "Seconds behind, by process.",
    PROCESS_MEMBERS: "Running members, by process.",
    HEALTHY: "1 while /healthz answers 200.",
    API_READY: "1 while registrations are accepted.",
    API_HELD_BATCHES: "Batches newer than the projection.",
    API_PROJECTION_READABLE: "1 if the projection database can be read, so that lists are current.",
    API_STREAMS: "Open streams of live updates.",
    API_STREAMS_ENDED: "Streams of live updates that the api has ended, by reason.",
}

LABELS: Final[dict[str, tuple[str, ...]]] = {
    RECORDS_READ: ("topic",),
    RECORDS_WRITTEN: ("topic",),
    DECISIONS: ("kind", "disposition"),
    DEAD_LETTERS: ("code",),
    UNREADABLE_RECORDS: ("topic",),
    HTTP_REQUESTS: ("method", "endpoint", "status_code"),
    HTTP_REQUEST_SECONDS: ("method", "endpoint"),
    BATCH_OPERATIONS: ("operation", "status"),
    BATCHES_ENDED: ("status",),
    PROCESS_LAG_SECONDS: ("process",),
    PROCESS_MEMBERS: ("process",),
    API_STREAMS_ENDED: ("reason",),
}

LATENESS_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
COMMIT_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HTTP_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def namespace(name: str) -> str:
    """Return the prefix of a metric's name; empty if it has none."""
    return "" if name in UNPREFIXED else PREFIX
