"""What is told of every record beside the follower's own work: metrics, live updates, operations."""

from collections.abc import Callable

from api.kafka_log.kafka_log import LogRecord
from runtime.logs import get_logger

_logger = get_logger("api.kafka_log.observers")


class Observers:
    """Calls each observer with each record.

    A failure of an observer is logged once and keeps neither the others nor the follower from a record: callers that
    wait for a decision must not wait in vain because of a defect in something that only looks on.
    """

    def __init__(self, *observers: Callable[[LogRecord], None]) -> None:
        self._observers = observers
        self._failed: set[int] = set()

    def __call__(self, record: LogRecord) -> None:
        """Tell every observer."""
        for number, observe in enumerate(self._observers):
            try:
                observe(record)
            except Exception as error:
                if number not in self._failed:
                    where = f"{record.partition.topic.value}[{record.partition.number}]@{record.offset}"
                    _logger.exception("observer_failed", observer=number, record=where, error=repr(error))
                    self._failed.add(number)
