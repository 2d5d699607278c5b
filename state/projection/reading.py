"""Connections for reading, whose failures are the product's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from schemas.errors import ProjectionError


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database. Raises `ProjectionError` where it cannot be reached or has no schema."""
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        raise ProjectionError(
            f"The projection database cannot be read: {said}.",
            next_step="See that the projector has run once against it, and that it can be reached at "
            "BATCH_ORCHESTRATOR_SERVICE_PROJECTION_URL.",
        ) from error
