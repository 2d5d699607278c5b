"""What routes of batches share: counting the results of operations, and the batch id in a path."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from api.dependencies import services_of
from api.errors import Problem, batch_not_found
from api.paths import decode_segment


@contextmanager
def counted(request: Request, operation: str) -> Iterator[None]:
    """Count the result of `operation` in the metric `batch_operations_total`."""
    operations = services_of(request).metrics.operations
    try:
        yield
    except Problem as problem:
        operations.labels(operation, _result(problem.status)).inc()
        raise
    except Exception:
        operations.labels(operation, "error").inc()
        raise
    operations.labels(operation, "success").inc()


def decoded_id(segment: str) -> str:
    """Return the batch id in a path segment. Raises `Problem` 404 if it is not UTF-8: no batch has such an id."""
    try:
        return decode_segment(segment)
    except UnicodeDecodeError:
        raise batch_not_found(segment) from None


def _result(status: int) -> str:
    if status in (400, 408, 413, 415):
        return "validation_error"
    return "error" if status >= 500 else "refused"
