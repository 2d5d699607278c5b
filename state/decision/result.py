"""The result of `decide`."""

from typing import NamedTuple

from msgspec.structs import replace

from schemas.internal.effects import Effect
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import Event
from schemas.internal.history import Reason
from state.batch import Batch


class Oversize(NamedTuple):
    """A record of a decision that does not fit: an input of the decision that takes its place."""

    what: str
    """Which record it is, for messages."""
    size: int
    """Size in bytes."""
    limit: int
    """Largest size in bytes that fits."""

    @property
    def reason(self) -> Reason:
        """The reason of a decision that was made because of this; it holds every fact, so that a replay has them."""
        return Reason(code=ReasonCode.OVERSIZED, what=self.what, size=self.size, limit=self.limit)

    @property
    def sentence(self) -> str:
        """The same for a person."""
        return f"{self.what} has {self.size} bytes; the limit is {self.limit}"


class Decision(NamedTuple):
    """The result of one event on one batch."""

    batch: Batch | None
    """The batch after the event: a new value where anything changed, otherwise the very object that was given."""
    effects: tuple[Effect, ...]
    """Effects to publish, in this order."""
    disposition: Disposition
    reason: Reason

    @classmethod
    def applied(cls, batch: Batch, event: Event, effects: tuple[Effect, ...], reason: Reason) -> "Decision":
        """The event changed the batch, which gets its version and time."""
        changed = replace(batch, version=event.version, updated_ms=event.time_ms)
        return cls(changed, effects, Disposition.APPLIED, reason)

    @classmethod
    def stale(cls, batch: Batch | None, reason: Reason) -> "Decision":
        """The event does not fit, no longer or not yet."""
        return cls(batch, (), Disposition.STALE, reason)

    @classmethod
    def duplicate(cls, batch: Batch, reason: Reason) -> "Decision":
        """The same was decided before."""
        return cls(batch, (), Disposition.DUPLICATE, reason)

    @classmethod
    def refused(cls, batch: Batch | None, reason: Reason) -> "Decision":
        """A request breaks a rule. Its version stays, though the batch can be one that remembers the request."""
        return cls(batch, (), Disposition.REFUSED, reason)

    @classmethod
    def unknown(cls) -> "Decision":
        """There is no such batch, and the event is none that may begin one."""
        return cls(None, (), Disposition.UNKNOWN, Reason(code=ReasonCode.UNKNOWN_BATCH))

    @classmethod
    def quarantined(cls, batch: Batch | None, reason: Reason) -> "Decision":
        """The event cannot be decided on; it is set aside, and the batch stays as it was."""
        return cls(batch, (), Disposition.QUARANTINED, reason)
