"""History records: one for every inbox record, keyed by batch_id, whatever came of it.

Headers: `version`, `disposition`, and `request_id` where the record answers a request.
"""

from msgspec import Struct

from schemas.internal.enums import BatchStatus, Disposition, ReasonCode
from schemas.internal.events import Origin, Principal
from schemas.internal.status import FailedEssay

NO_VERSION = -1
"""Version of a batch that does not exist."""


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why, as a code with typed parameters; the sentence is made where it is shown."""

    code: ReasonCode
    phase: str | None = None
    attempt: int | None = None
    status: str | None = None
    """The batch's or phase's status that stood in the way."""
    essays: int | None = None
    """How many essays it concerns."""
    foreign: int | None = None
    unaccounted: int | None = None
    due_ms: int | None = None
    """When the deadline that it armed is due."""
    what: str | None = None
    """The record that did not fit."""
    size: int | None = None
    """Size of that record in bytes."""
    limit: int | None = None
    """Largest size that fits, in bytes."""
    detail: str | None = None
    """Words for a person: an exception's text, a request's own reason, what differs."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A status from and to; of the batch where `phase` is empty."""

    phase: str = ""
    before: str | None = None
    after: str
    """A `BatchStatus` or `PhaseStatus` value."""


class EffectNote(Struct, frozen=True):
    """A record published with this decision."""

    kind: str
    event_id: str
    topic: str
    phase: str = ""
    attempt: int = 0
    essays: int = 0


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the requester is told, whether now or on a repeat."""

    batch_id: str
    correlation_id: str
    """Correlation id of the batch's first registration."""
    status: BatchStatus
    version: int


class HistoryRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to one inbox record, well enough that a person needs nothing else."""

    writer: int
    least_reader: int
    batch_id: str
    partition: int
    """Partition of the inbox."""
    offset: int
    """On the inbox; with `partition` the identity of this record."""
    time_ms: int
    """The inbox record's append time."""
    kind: str
    """The body's kind; empty where it could not be decoded."""
    disposition: Disposition
    reason: Reason
    version: int
    """Version of the batch after this record."""
    based_on: int
    """Version of the batch before this record; `NO_VERSION` where there was no batch. Applied records form a chain."""
    origin: Origin | None = None
    actor: Principal | None = None
    """Who asked, for requests."""
    request_id: str | None = None
    changes: tuple[Change, ...] = ()
    succeeded: int = 0
    failed: int = 0
    failed_essays: tuple[FailedEssay, ...] = ()
    """Lost by this event."""
    effects: tuple[EffectNote, ...] = ()
    dead_letter_id: str | None = None
    answer: Answer | None = None
    """Answer to the request; set for requests about a batch that exists."""

    @property
    def in_chain(self) -> bool:
        """Whether the record is a link of its batch's chain of versions.

        One that was quarantined without a look at the batch changed nothing, and does not say which version it had.
        """
        return self.disposition is not Disposition.QUARANTINED or self.based_on != NO_VERSION
