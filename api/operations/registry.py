"""The operations as the log tells them, the same in every worker of the api.

Records of one operation lie in one partition, so that every worker sees them in one order and agrees on who runs it.
"""

import time
from collections.abc import Callable

from msgspec import Struct

from api.kafka_log.kafka_log import LogRecord
from runtime.logs import get_logger
from schemas.errors import OrchestratorError
from schemas.internal.operations import STOP, OperationRecord
from schemas.internal.records import decode_operation
from schemas.topics import Topic

_logger = get_logger("api.operations")


class Heard(Struct):
    """An operation, and when its runner was heard of last."""

    record: OperationRecord
    heard_at: float


class OperationRegistry:
    """Folds the operations topic. Use it on the event loop only.

    `passed_over` is called with the state that stands when a record of the topic was passed over, because it came from
    a worker that had lost the operation, or after its end: compaction would keep that record alone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        passed_over: Callable[[OperationRecord], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self.passed_over = passed_over
        self._heard: dict[str, Heard] = {}
        self._stops: dict[str, OperationRecord] = {}

    def observe(self, record: LogRecord) -> None:
        """Take in a record of the Kafka log."""
        if record.partition.topic is not Topic.OPERATIONS:
            return
        key = record.key.decode(errors="replace")
        try:
            self._fold(key, record.value)
        except OrchestratorError as error:
            _logger.warning("operation_record_not_read", operation=key, code=error.code, reason=error.message)

    def get(self, operation_id: str) -> OperationRecord | None:
        """Return the newest state of an operation."""
        heard = self._heard.get(operation_id)
        return None if heard is None else heard.record

    def list(self) -> list[OperationRecord]:
        """Return all operations, the newest first."""
        return sorted(
            (heard.record for heard in self._heard.values()),
            key=lambda record: (record.created_ms, record.operation_id),
            reverse=True,
        )

    def stop_of(self, operation_id: str) -> OperationRecord | None:
        """Return the wish to stop an operation, or None."""
        return self._stops.get(operation_id)

    def silent_s(self, operation_id: str) -> float:
        """Return the seconds since the runner of an operation was last heard of."""
        heard = self._heard.get(operation_id)
        return 0.0 if heard is None else self._clock() - heard.heard_at

    def _fold(self, key: str, value: bytes | None) -> None:
        if key.endswith(STOP):
            operation_id = key.removesuffix(STOP)
            if value is None:
                self._stops.pop(operation_id, None)
            else:
                self._stops[operation_id] = decode_operation(value)
            return
        if value is None:
            self._heard.pop(key, None)
            return
        record = decode_operation(value)
        known = self._heard.get(key)
        if known is None or follows(known.record, record):
            self._heard[key] = Heard(record, self._clock())
        elif record != known.record:
            self.passed_over(known.record)


def follows(before: OperationRecord, after: OperationRecord) -> bool:
    """Whether a record of the log is the next state of an operation.

    The first claim of an epoch counts; its runner alone writes until the next epoch. Nothing follows the end.
    """
    if before.state.ended or after.epoch < before.epoch:
        return False
    return after.epoch > before.epoch or after.runner in (before.runner, "")
