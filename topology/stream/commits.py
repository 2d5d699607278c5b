"""Commits a group's offsets in the background, or waits for one; a failed commit passes, or ends the process."""

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.kafka.errors import GROUP_MOVES
from runtime.logs import get_logger
from schemas.errors import LivenessError
from topology.stream.deliveries import Deliveries

FAILING_S = 30.0
"""Seconds for which commits may fail for a reason that passes; then the process ends."""
_PASSING = GROUP_MOVES | {
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._WAIT_COORD,  # noqa: SLF001 - the library's public names for local errors
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._DESTROY,  # noqa: SLF001
}
"""Errors of a commit that a rebalance, a new coordinator or a later try ends."""

_logger = get_logger("topology.stream.commits")


class Commits:
    """Commits what `deliveries` has settled, every `interval_s` seconds, and one request at a time."""

    def __init__(
        self, deliveries: Deliveries, *, interval_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._deliveries = deliveries
        self._interval_s = interval_s
        self._clock = clock
        self._next = clock() + interval_s
        self._asked_at = 0.0
        self._failing_since: float | None = None

    def commit_if_due(self, consumer: Any) -> None:
        """Request a commit once an interval has passed; the answer comes to `on_commit`.

        Raises:
            LivenessError: the request before has had no answer for too long.
        """
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._interval_s
        offsets = self._deliveries.ask()
        if offsets:
            self._asked_at = now
            consumer.commit(offsets=offsets, asynchronous=True)
        elif self._deliveries.asked and now - self._asked_at > FAILING_S:
            raise LivenessError(
                f"A commit of offsets has had no answer for {FAILING_S:.0f} s.",
                next_step="None: a supervisor starts the process again. If it repeats, check the brokers.",
            )

    def commit(self, consumer: Any) -> None:
        """Commit everything that is delivered, and wait for it. Raises `KafkaException`."""
        offsets = self._deliveries.take()
        if not offsets:
            return
        for at in consumer.commit(offsets=offsets, asynchronous=False) or ():
            if at.error is not None:
                raise KafkaException(at.error)

    def on_commit(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """Take in the answer to a request (the client's `on_commit`). Raises `KafkaException` if it cannot pass."""
        error = error or next((at.error for at in offsets if at.error is not None), None)
        taken = self._deliveries.answered(offsets, committed=error is None)
        if not taken:
            return
        if error is None:
            self._failing_since = None
            return
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        if error.code() not in _PASSING and not error.retriable():
            raise KafkaException(error)
        if now - self._failing_since > FAILING_S:
            raise KafkaException(error)
        _logger.warning("commit_failed", error=error.str(), next_step="None: it is repeated.")
