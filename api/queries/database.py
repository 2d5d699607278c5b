"""The projection database; it may come later than the api, or go away for a while."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from api.kafka_log.kafka_log import LogPartition
from schemas.errors import OrchestratorError, ProjectionEmpty, ProjectionError
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from state.projection import Identity, Reader, ReadInterrupts, open_engine

_NEXT_STEP = "Start the projector, and check PROJECTION_URL of both processes."
Answer = TypeVar("Answer")


class DatabaseProjection:
    """Reads the projection at a database URL, once it is known to hold this cluster's events.

    `expected` returns whose events they must be; it is asked once.
    """

    def __init__(self, url: str, expected: Callable[[], Identity], *, timeout_s: float) -> None:
        self._engine = open_engine(url, reads_within_s=timeout_s)
        self._interrupts = ReadInterrupts(self._engine, statement_timeout_s=timeout_s)
        self._reader = Reader(self._engine)
        self._expected = expected
        self._mine: Identity | None = None
        self._opened = 0
        """Connections made so far: the database behind a new one can be another one."""
        self._checked: int | None = None
        """What `_opened` was when the schema and whose events it holds were last found right."""
        event.listen(self._engine, "connect", self._count)

    def get(self, batch_id: str) -> StatusRecord | None:
        """Return the snapshot that the database holds."""
        return self._asked(lambda: self._reader.get(batch_id))

    def offsets(self) -> Mapping[LogPartition, int]:
        """Return the offsets it reflects."""
        found = self._asked(self._own_offsets)
        return {LogPartition(topic, number): offset for (topic, number), offset in found.items()}

    def interrupt(self, thread: int) -> None:
        """Make the read of another thread fail now."""
        self._interrupts.interrupt(thread)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _count(self, _connection: object, _record: object) -> None:
        self._opened += 1

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        """Ask a database that was looked at through connections as they are now, and again after any error."""
        try:
            while True:
                opened = self._opened
                if self._checked != opened:
                    self._check()
                answer = question()
                if self._opened == opened:
                    self._checked = opened
                    return answer
        except SQLAlchemyError as error:
            self._checked = None
            raise _unavailable(f"The projection database cannot be read ({type(error).__name__}).") from error
        except OrchestratorError:
            self._checked = None
            raise

    def _check(self) -> None:
        if not self._reader.ready():
            raise ProjectionEmpty("No projector has made the projection database yet.", next_step=_NEXT_STEP)
        self._require_own()

    def _own_offsets(self) -> dict[tuple[Topic, int], int]:
        self._require_own()  # a dump can be restored in place
        return self._reader.offsets()

    def _require_own(self) -> None:
        held = self._reader.identity()
        if held is None:
            raise ProjectionEmpty("No projector has begun to fill the projection database yet.", next_step=_NEXT_STEP)
        if self._mine is None:
            self._mine = self._expected()
        if held != self._mine:
            raise ProjectionError(
                "The projection database holds the events of another cluster or inbox.",
                next_step="Point PROJECTION_URL at this cluster's projection, or let the projector make a new one.",
            )


def _unavailable(what: str) -> ProjectionError:
    return ProjectionError(what, next_step=_NEXT_STEP)
