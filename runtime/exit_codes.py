"""Exit codes of long-running processes, after sysexits.h where it has a fitting one. A supervisor decides by them."""

from schemas.errors import (
    BrokerError,
    ConfigurationError,
    LivenessError,
    NewerRecord,
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
"""Anything unexpected."""
COMMIT_UNKNOWN = 71
"""The outcome of a commit stayed unknown; only a new process finds out."""
TOPIC = 72
"""A topic is missing or differs from what is needed."""
PROJECTION = 73
"""The projection database cannot be used."""
LOST = 74
"""Partitions or transactions were lost; what was not committed is dropped."""
RESTART = 75
"""The world has changed (a topic appeared or was made again, partitions were added): start again."""
NEWER_RECORD = 76
"""An internal record needs a newer version of the product."""
NO_LIFE = 77
"""The processing loop hangs, or a client has heard nothing from Kafka for too long; only a new process helps."""
CONFIGURATION = 78
"""A setting is wrong, or another process has the same instance: starting again will not help."""

_BY_ERROR: tuple[tuple[type[OrchestratorError], int], ...] = (
    (ConfigurationError, CONFIGURATION),
    (TopicError, TOPIC),
    (StateError, STATE),
    (LivenessError, NO_LIFE),
    (BrokerError, BROKER),
    (ProjectionError, PROJECTION),
    (NewerRecord, NEWER_RECORD),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error that ends a process."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAULT)


def known_error(error: BaseException | None) -> OrchestratorError | None:
    """Return the first error of the product in the chain of causes: libraries wrap what they let through."""
    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, OrchestratorError):
            return error
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None
