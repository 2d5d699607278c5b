"""The problems of requests about operations."""

from api.errors import Problem, kafka_unavailable, not_ready
from schemas.errors import Code, OrchestratorError


def empty_filter() -> Problem:
    """Return the problem of an operation that would be done with everything there is."""
    return Problem(
        422,
        Code.OPERATION_FILTER,
        "The filter is empty, so it would fit everything.",
        next_step="Name at least one thing that the items have in common, or give their ids.",
        error="Validation Error",
    )


def too_many_ids(most_bytes: int) -> Problem:
    """Return the problem of ids that do not fit the record of an operation."""
    return Problem(
        422,
        Code.OPERATION_FILTER,
        f"The ids are longer than {most_bytes} bytes together.",
        next_step="Begin several operations, or describe the items by a filter.",
        error="Validation Error",
    )


def not_found(operation_id: str) -> Problem:
    """Return the problem of an operation that does not exist, or that the caller may not see: the two look alike."""
    return Problem(
        404,
        Code.OPERATION_NOT_FOUND,
        "There is no such operation, or it belongs to somebody else.",
        next_step="Check the id; an operation is kept for as long as the history of what it has done.",
        error="Operation not found",
        extra={"operation_id": operation_id[:255]},
    )


def key_reused(operation_id: str) -> Problem:
    """Return the problem of an Idempotency-Key under which something else was begun."""
    return Problem(
        422,
        Code.KEY_REUSED,
        "This Idempotency-Key was used before for another operation.",
        next_step="Use a new Idempotency-Key, or send the first request again to get its answer.",
        error="Request refused",
        extra={"reason": "key_reused", "operation_id": operation_id},
    )


def too_many(most: int) -> Problem:
    """Return the problem of more operations than go on at a time."""
    return Problem(
        503,
        Code.BUSY,
        f"{most} operations are under way, which is the limit.",
        next_step="Send it again once one of them has ended, or stop one.",
        error="Service is busy",
        headers={"Retry-After": "10"},
    )


def unreadable(error: OrchestratorError) -> Problem:
    """Return the problem of a projection that cannot say which items fit."""
    return not_ready(f"The items cannot be read now: {error.message}")


def unwritten(error: OrchestratorError) -> Problem:
    """Return the problem of an operation whose record Kafka has not acknowledged."""
    return kafka_unavailable(
        error.message,
        next_step="Look at the list of operations, where it may stand; with an Idempotency-Key a repeat is safe.",
    )
