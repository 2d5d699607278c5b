"""Recognises the errors with which Kafka fences a process off, its consumer or its producer, and ends the process."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NoReturn

from confluent_kafka import KafkaError

from runtime import exit_codes
from runtime.kafka.clients import log_error
from runtime.kafka.errors import reasons_of
from topology.stream.exit import Leave, fenced, instance_taken
from topology.stream.liveness import FENCE_S

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - the library's public name for a local error
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}


def is_fenced_consumer(error: KafkaError) -> bool:
    """Return whether a consumer was fenced: another member has joined the group under its instance id."""
    fatal = error.code() == KafkaError._FATAL  # noqa: SLF001 - the library's public name for it
    return error.code() == KafkaError.FENCED_INSTANCE_ID or (fatal and "instance" in error.str().lower())


def fence_of(error: BaseException | None) -> KafkaError | None:
    """Return the error that fenced this process, from the chain of causes of `error`."""
    return next((one for one in reasons_of(error) if is_fenced_consumer(one) or one.code() in _FENCED), None)


def leave_fenced(reason: KafkaError, *, twin_reports: Callable[[], bool], leave: Leave) -> NoReturn:
    """Leave for good only where another process is proven: a process that is not started again must not be missed.

    Nothing is written here any more, so the time that the proof takes does no harm.
    """
    if twin_reports():
        leave(exit_codes.CONFIGURATION, instance_taken(reason.str()))
    leave(exit_codes.LOST, fenced(reason.str()))


class Fence:
    """Ends a process whose consumer was fenced off; `allow` gives the loop the time to ask for another process."""

    def __init__(self, *, leave: Leave, allow: Callable[[float], AbstractContextManager[None]]) -> None:
        self.twin_reports: Callable[[], bool] = lambda: False
        """Tells whether another process of the same name is alive."""
        self._leave = leave
        self._allow = allow
        self._fatal: KafkaError | None = None

    def on_error(self, error: KafkaError) -> None:
        """Log an error of the consumer (its `error_cb`), and keep a fatal one: nothing else receives it."""
        if error.code() == KafkaError._FATAL:  # noqa: SLF001 - the library's public name for it
            self._fatal = error
        log_error(error)

    def check(self, error: KafkaError | None = None) -> None:
        """End the process if `error`, or a fatal error from before, says that it was fenced off."""
        for one in (error, self._fatal):
            if one is not None and is_fenced_consumer(one):
                self.leave(one)

    def leave(self, reason: KafkaError) -> NoReturn:
        """End the process for `reason`."""
        with self._allow(FENCE_S):
            leave_fenced(reason, twin_reports=self.twin_reports, leave=self._leave)
