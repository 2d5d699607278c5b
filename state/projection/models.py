"""What goes into the projection and what comes out of it."""

from typing import NamedTuple

from msgspec import Struct

from schemas.errors import UnreadableRecord
from schemas.internal.dead_letters import DeadLetter, Headers
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
