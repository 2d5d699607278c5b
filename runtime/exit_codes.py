"""Exit codes of long-running processes, by which a supervisor decides; those of sysexits.h where one fits."""

from schemas.errors import (
    BrokerError,
    ConfigurationError,
    LivenessError,
    NewerRecord,
    OlderRecord,
    OrchestratorError,
    ProjectionError,
    StateError,
    TopicError,
)

OK = 0
STATE = 65
"""State cannot be trusted."""
BROKER = 69
"""The Kafka cluster cannot be reached."""
FAULT = 70
"""An unexpected error."""
COMMIT_UNKNOWN = 71
"""The outcome of a commit is unknown; only a new process can determine it."""
TOPIC = 72
"""A topic is missing or differs from what is needed."""
PROJECTION = 73
"""The projection database cannot be used."""
LOST = 74
"""Partitions or transactions were lost; uncommitted work is dropped."""
RESTART = 75
"""The topics have changed (a topic appeared or was created again, partitions were added); start again."""
NEWER_RECORD = 76
"""An internal record needs a newer version of the product."""
NO_LIFE = 77
"""The processing loop hangs, or a client has had no answer from Kafka for too long; only a new process helps."""
CONFIGURATION = 78
"""A setting is wrong, another process has the same instance, or the topics hold records of an older format: starting
again will not help."""

_BY_ERROR: tuple[tuple[type[OrchestratorError], int], ...] = (
    (ConfigurationError, CONFIGURATION),
    (TopicError, TOPIC),
    (StateError, STATE),
    (LivenessError, NO_LIFE),
    (BrokerError, BROKER),
    (ProjectionError, PROJECTION),
    (NewerRecord, NEWER_RECORD),
    (OlderRecord, CONFIGURATION),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error that ends a process."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAULT)


def known_error(error: BaseException | None) -> OrchestratorError | None:
    """Return the first error of the product in the chain of causes: libraries wrap errors."""
    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, OrchestratorError):
            return error
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None
