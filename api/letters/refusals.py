"""The problems of requests about dead letters."""

from enum import StrEnum

from api.errors import Problem, kafka_unavailable, not_ready
from schemas.errors import Code, OrchestratorError


class Refusal(StrEnum):
    """Why something cannot be done with a dead letter."""

    ALREADY_REPLAYED = "already_replayed"
    ALREADY_DISCARDED = "already_discarded"
    NO_VALUE = "no_value"
    """The record was too large for the dead letter topic, or had no value."""
    ENDS_PROCESSES = "ends_processes"
    """A process has ended each time that it processed the record; a preview would do the same to the api."""


_SENTENCES = {
    Refusal.ALREADY_REPLAYED: (
        "It was replayed, and has not failed again.",
        "None: if it fails again, it is open again, with the newer fault.",
    ),
    Refusal.ALREADY_DISCARDED: ("It was discarded already.", "None; a discarded dead letter can still be replayed."),
    Refusal.NO_VALUE: (
        "Its value is not kept: the record had none, or was too large for the dead letter topic.",
        "Let the producer send the event again, then discard the dead letter.",
    ),
    Refusal.ENDS_PROCESSES: (
        "A process has ended each time that it processed this record, so it is not processed for a preview.",
        "Replay it with a version of the product that survives it, or discard it.",
    ),
}


def refused(dead_letter_id: str, refusal: Refusal) -> Problem:
    """Return the problem of something that cannot be done with a dead letter."""
    detail, next_step = _SENTENCES[refusal]
    return Problem(
        409,
        Code.LETTER_REFUSED,
        detail,
        next_step=next_step,
        error="Dead letter refused",
        extra={"reason": refusal.value, "dead_letter_id": dead_letter_id},
    )


def letter_not_found(dead_letter_id: str) -> Problem:
    """Return the problem of a dead letter that does not exist, or not yet in the projection."""
    return Problem(
        404,
        Code.LETTER_NOT_FOUND,
        "There is no such dead letter.",
        next_step="Check the id; a dead letter is kept for 30 days, and is shown a moment after it was written.",
        error="Dead letter not found",
        extra={"dead_letter_id": dead_letter_id[:255]},
    )


def empty_filter() -> Problem:
    """Return the problem of dead letters that are to be worked without saying which."""
    return Problem(
        422,
        Code.LETTER_FILTER,
        "The filter is empty, so it would fit every dead letter.",
        next_step="Name at least one of code, topic, batch, since and until.",
        error="Validation Error",
    )


def too_many(count: int, limit: int) -> Problem:
    """Return the problem of a filter that fits more dead letters than are worked at once."""
    return Problem(
        422,
        Code.LETTER_LIMIT,
        f"The filter fits {count} dead letters; at most {limit} are worked at once.",
        next_step="Narrow it with since and until, or give a limit: then the oldest so many are taken.",
        error="Too many dead letters",
        extra={"count": count, "limit": limit},
    )


def unreadable(error: OrchestratorError) -> Problem:
    """Return the problem of a projection that cannot be read now."""
    return not_ready(f"Dead letters cannot be read now: {error.message}")


def unwritten(error: OrchestratorError, *, sent: bool) -> Problem:
    """Return the problem of a record that Kafka has not acknowledged; `sent`: the replay itself was acknowledged."""
    what = "The replay is durable, but not noted with the dead letter" if sent else "Nothing is known to be written"
    return kafka_unavailable(
        f"{what}: {error.message}", next_step="Send the request again: a record that is replayed twice is applied once."
    )
