"""Operation records: a bulk job over batches or dead letters, on a compacted topic of its own.

The newest record of a key is the state of the operation with that id. It holds all that another process needs to go on:
what was asked and by whom, the items in work, and what came of those before. Each item's request has an id derived from
operation and item, so that an item that is worked twice is decided once. The wish that an operation ends stands under
the key `ID/stop`, as the operation in the state `stopped`, without its items and results.
"""

from msgspec import Struct

from schemas.internal.enums import OpenEnum
from schemas.internal.events import Principal

STOP = "/stop"
"""What the key of a stop has behind the operation's id."""
MOST_REFUSED = 100
"""Refused items that a record names; the others are counted."""


class OperationAction(OpenEnum):
    """What is done with each item."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    REPLAY_DEAD_LETTERS = "replay-dead-letters"
    DISCARD_DEAD_LETTERS = "discard-dead-letters"

    @property
    def of_letters(self) -> bool:
        """Whether its items are dead letters."""
        return self in (OperationAction.REPLAY_DEAD_LETTERS, OperationAction.DISCARD_DEAD_LETTERS)


class OperationState(OpenEnum):
    """How far an operation is."""

    RUNNING = "running"
    FINISHED = "finished"
    """Every item has been decided on."""
    STOPPED = "stopped"
    """A person has stopped it; what was decided stays decided."""
    FAILED = "failed"
    """It cannot go on, and `failure` says why; what was decided stays decided."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is done."""
        return self in (OperationState.FINISHED, OperationState.STOPPED, OperationState.FAILED)


class Tally(Struct, frozen=True):
    """How many items had one result."""

    disposition: str
    reason: str
    count: int


class RefusedItem(Struct, frozen=True):
    """An item to which the action was not applied."""

    id: str
    disposition: str
    reason: str


class OperationRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operation at one moment."""

    writer: int
    least_reader: int
    operation_id: str
    """UUID; it is the correlation id of every request of the operation, too."""
    action: OperationAction
    principal: Principal
    """Who asked for it, with the scopes that it had then."""
    reason: str
    """Why, in words of who asked."""
    fingerprint: str
    """Of what was asked, to tell a repeat from another request with the same Idempotency-Key."""
    filter: str = ""
    """Which items, as the query of a list's URL; times in it are absolute. Empty where `ids` are given."""
    ids: tuple[str, ...] = ()
    """The items, where they were named one by one."""
    phase: str = ""
    """Phase to run again, of `retry`."""
    essays: str = ""
    """`failed` or `all`, of `retry`."""
    created_ms: int
    updated_ms: int
    ended_ms: int | None = None
    state: OperationState
    epoch: int = 1
    """Counts the processes that have taken it up; of two with one epoch, the first in the log has it."""
    runner: str = ""
    """Worker that goes on with it; empty: any may take it up."""
    expected: int = 0
    """Items that fitted when it began, counted up to a bound."""
    expected_more: bool = False
    """The bound was reached, so there were more."""
    cursor: str = ""
    """Where the items after `page` begin; empty at the start."""
    last_page: bool = False
    """Nothing follows `page`."""
    page: tuple[str, ...] = ()
    """Items in work: they may have been decided on already."""
    tallies: tuple[Tally, ...] = ()
    """Results of the items before `page`."""
    refused: tuple[RefusedItem, ...] = ()
    """The first of the items to which the action was not applied."""
    waiting_for: str = ""
    """Why it cannot go on at the moment."""
    stopped_by: str = ""
    failure_code: str = ""
    """Error code (`ORC-…`) of what has ended it, of `failed`."""
    failure: str = ""
    """What has ended it, as a sentence, of `failed`."""

    @property
    def done(self) -> int:
        """Number of items that were decided on."""
        return sum(tally.count for tally in self.tallies)
