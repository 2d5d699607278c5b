"""Detects that another process uses this one's instance name: the consumer or the producer was fenced."""

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException

JOIN_WAIT_S = 8.0
"""Seconds within which a process joins the group after starting its producer, at most."""
JOIN_POLL_S = 0.5
_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - the library's public name for a local error
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}


def is_taken(error: KafkaError) -> bool:
    """Return whether a consumer has been fenced: another process uses its instance id now."""
    fatal = error.code() == KafkaError._FATAL  # noqa: SLF001 - the library's public name for it
    return error.code() == KafkaError.FENCED_INSTANCE_ID or (fatal and "instance" in error.str().lower())


def fence_of(error: BaseException | None) -> KafkaError | None:
    """Return the error that fenced this process, from the chain of causes of `error`."""
    seen = 0
    while error is not None and seen < 10:
        found = error.args[0] if isinstance(error, KafkaException) and error.args else None
        if isinstance(found, KafkaError) and (is_taken(found) or found.code() in _FENCED):
            return found
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None


def is_instance_taken(consumer: Any, reason: KafkaError) -> bool:
    """Return whether another process has joined the group under this one's instance name.

    A fenced producer alone does not prove it: Kafka also fences a producer whose transaction has timed out. The other
    process joins the group a moment after starting its producer; committing the committed offsets again detects that.
    """
    if is_taken(reason):
        return True
    deadline = time.monotonic() + JOIN_WAIT_S
    while time.monotonic() < deadline:
        try:
            found = consumer.committed(consumer.assignment(), timeout=JOIN_WAIT_S)  # none on changelogs
            consumer.commit(offsets=[at for at in found if at.offset >= 0][:1], asynchronous=False)
        except KafkaException as error:
            if is_taken(error.args[0]) or error.args[0].code() == KafkaError._FATAL:  # noqa: SLF001 - a fence alone is
                return True
        time.sleep(JOIN_POLL_S)
    return False
