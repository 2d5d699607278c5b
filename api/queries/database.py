"""The projection database; it may come later than the api, or go away for a while."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from api.kafka_log.consumer import LogPartition
from schemas.errors import ProjectionError
from schemas.internal.status import StatusRecord
from state.projection import Identity, Reader, open_engine

Answer = TypeVar("Answer")


class DatabaseProjection:
    """Reads the projection at a database URL, once it is known to hold this cluster's events.

    `expected` returns whose events they must be; it is asked once.
    """

    def __init__(self, url: str, expected: Callable[[], Identity]) -> None:
        self._engine = open_engine(url)
        self._reader = Reader(self._engine)
        self._expected = expected
        self._mine: Identity | None = None
        self._usable = False

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""
        return self._asked(lambda: self._reader.get(batch_id))

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the offsets it reflects."""
        self._usable = False  # the database can have been replaced: look whose it is, every time
        found = self._asked(self._reader.offsets)
        return {LogPartition(topic, number): offset for (topic, number), offset in found.items()}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        try:
            if not self._usable:
                self._check()
            return question()
        except SQLAlchemyError as error:
            self._usable = False
            raise _unavailable(f"The projection database cannot be read ({type(error).__name__}).") from error

    def _check(self) -> None:
        if not self._reader.ready():
            raise _unavailable("No projector has made the projection database yet.")
        held = self._reader.identity()
        if held is None:
            raise _unavailable("No projector has begun to fill the projection database yet.")
        if self._mine is None:
            self._mine = self._expected()
        if held != self._mine:
            raise ProjectionError(
                "The projection database holds the events of another cluster or inbox.",
                next_step="Point PROJECTION_URL at this cluster's projection, or let the projector make a new one.",
            )
        self._usable = True


def _unavailable(what: str) -> ProjectionError:
    return ProjectionError(what, next_step="Start the projector, and check PROJECTION_URL of both processes.")
