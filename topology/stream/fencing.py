"""Recognises the errors with which Kafka fences a process off: its consumer or its producer."""

from confluent_kafka import KafkaError, KafkaException

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
    seen = 0
    while error is not None and seen < 10:
        found = error.args[0] if isinstance(error, KafkaException) and error.args else None
        if isinstance(found, KafkaError) and (is_fenced_consumer(found) or found.code() in _FENCED):
            return found
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None
