"""What goes into the projection and what comes out of it."""

from typing import NamedTuple

from msgspec import Struct

from schemas.errors import UnreadableRecord
from schemas.internal.dead_letters import DeadLetter, Headers
from schemas.internal.enums import BatchStatus, PhaseStatus
from schemas.internal.history import HistoryRecord
from schemas.topics import Topic


class ProjectedRecord(NamedTuple):
    """A record of the status, history or dead letter topic, at its place in the log."""

    topic: Topic
    partition: int
    offset: int
    time_ms: int
    """The broker's append time, Unix milliseconds."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    def text(self) -> str:
        """Return the value as text. Raises `UnreadableRecord`: the decoders do not look into fields that they skip."""
        try:
            return (self.value or b"").decode()
        except UnicodeDecodeError as error:
            raise UnreadableRecord(
                f"the value is not UTF-8: {error.reason}", next_step="Find out who wrote it."
            ) from error


class Identity(Struct, frozen=True):
    """Whose events a projection holds."""

    cluster_id: str
    inbox_topic_id: str


class Unreadable(Struct, frozen=True, kw_only=True):
    """A record that fits no model or no column, and was passed over."""

    topic: Topic
    partition: int
    offset: int
    time_ms: int
    reason: str


class ChainBreak(Struct, frozen=True, kw_only=True):
    """A history record that is not based on the version that the history before it led to: state was lost."""

    partition: int
    """Partition of the inbox."""
    offset: int
    """On the inbox."""
    time_ms: int
    batch_id: str
    version: int
    based_on: int
    expected: int
    """What it should have been based on."""


class Applied(Struct, frozen=True, kw_only=True):
    """What a transaction of the writer did."""

    records: int
    batches: int = 0
    """Batches whose rows changed; records overtaken by newer ones are not counted."""
    chain_breaks: tuple[ChainBreak, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


class Visibility(Struct, frozen=True, kw_only=True):
    """Whose batches a reader may see. What is None does not limit; both None: all."""

    owner_subject: str | None = None
    owner_organisation: str | None = None


EVERYTHING = Visibility()


class BatchFilter(Struct, frozen=True, kw_only=True):
    """Which batches a list shows; all that is given must fit."""

    status: tuple[BatchStatus, ...] = ()
    """Any of these; empty: any."""
    phase: str | None = None
    phase_status: PhaseStatus | None = None
    """Status of `phase`, or of any phase where that is None."""
    owner: str | None = None
    """The subject that registered the batch."""
    organisation: str | None = None
    """The batch's own (`org_id` of its registration)."""
    user: str | None = None
    course: str | None = None
    """The course code as the client gave it."""
    pipeline: str | None = None
    stalled: bool | None = None
    held: bool | None = None
    paused: bool | None = None
    ended: bool | None = None
    attention: bool | None = None
    """Whether it needs a person."""
    created_from_ms: int | None = None
    created_before_ms: int | None = None
    updated_from_ms: int | None = None
    updated_before_ms: int | None = None

    def empty(self) -> bool:
        """Whether every batch fits."""
        return self == BatchFilter()


class PhaseSummary(Struct, frozen=True, kw_only=True):
    """One phase of a batch in a list."""

    phase: str
    status: PhaseStatus
    attempt: int
    commanded: int
    succeeded: int
    failed: int
    unaccounted: int
    started_ms: int | None
    completed_ms: int | None


class BatchSummary(Struct, frozen=True, kw_only=True):
    """A batch in a list; `Reader.get` has the whole."""

    batch_id: str
    version: int
    status: BatchStatus
    user_id: str | None
    organisation: str | None
    owner_subject: str
    owner_organisation: str
    course: str
    pipeline: str
    stalled: bool
    reason: str | None
    registered_ms: int
    updated_ms: int
    ended_ms: int | None
    next_deadline_ms: int | None
    expected: int
    ready: int
    unaccounted: int
    succeeded: int
    failed: int
    phases: tuple[PhaseSummary, ...]
    """Phases in the order of the pipeline definition."""


class BatchPage(Struct, frozen=True):
    """Batches, the newest first, and the cursor of what follows (None at the end)."""

    batches: tuple[BatchSummary, ...]
    next_cursor: str | None


class HistoryPage(Struct, frozen=True):
    """History records of a batch, the oldest first; `next_cursor` goes on after the last, also at the end."""

    records: tuple[HistoryRecord, ...]
    next_cursor: str | None


class LetterFilter(Struct, frozen=True, kw_only=True):
    """Which dead letters a list shows; all that is given must fit."""

    code: str | None = None
    topic: str | None = None
    """Real name of the topic that the record was first read from."""
    batch_id: str | None = None
    state: str | None = None
    request_id: str | None = None
    since_ms: int | None = None
    """Dead letters of this time or later, Unix milliseconds."""
    until_ms: int | None = None
    """Dead letters before this time."""


ANY_LETTER = LetterFilter()


class StoredLetter(Struct, frozen=True, kw_only=True):
    """A dead letter and what became of it."""

    letter: DeadLetter
    """Without its value in a list."""
    state: str
    """`open`, `replayed` or `discarded`."""
    time_ms: int
    """When it became a dead letter."""
    letter_offset: int
    """Offset of its newest dead letter record on the dead letter topic."""
    log_partition: int
    """Partition of its records on the dead letter topic."""
    batch_id: str | None
    """The batch that it is about, where that can be read."""
    headers: Headers
    """Headers of its newest record."""


class LetterGroup(Struct, frozen=True, kw_only=True):
    """Dead letters of one code that were first read from one topic."""

    code: str
    topic: str
    count: int
    first_ms: int
    """When the oldest of them became a dead letter."""
    last_ms: int
    """When the newest of them became a dead letter."""


class LetterPage(Struct, frozen=True):
    """Dead letters, the newest first, and the cursor of what follows (None at the end)."""

    letters: tuple[StoredLetter, ...]
    next_cursor: str | None


class RequestTrace(Struct, frozen=True):
    """What came of a request id: what was first decided, and its newest dead letter."""

    decided: HistoryRecord | None
    dead_letter: StoredLetter | None


class StatusCounts(Struct, frozen=True):
    """How many batches have each status, and each phase in each status; statuses without batches are left out."""

    batches: dict[str, int]
    phases: dict[str, dict[str, int]]
