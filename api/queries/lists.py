"""Lists and numbers of batches for pages and routes, from the projection database.

Where the database cannot be read, the last answer to the same question is given again, marked as stale. A question that
was not asked before is refused then, because an empty list would say that there are no batches.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from api.errors import Problem, not_ready
from api.kafka_log.follower import KafkaLogFollower
from api.queries.projection import BoundedProjection
from api.times import timestamp
from schemas.errors import InvalidCursor, OrchestratorError
from schemas.internal.status import StatusRecord
from state.projection import (
    ANY_BATCH,
    EVERYTHING,
    BatchFilter,
    Reader,
    Resolved,
    Stats,
    StatusCounts,
    Usual,
    Visibility,
)

Answer = TypeVar("Answer")
BEHIND_S = 15.0
"""Seconds that the projection may be behind the log before lists say so."""
_MOST_KEPT = 64
_MOST_KEPT_UNITS = 50_000
"""Bound of the memory that kept answers take: batches and the essays they name, some 200 bytes each."""


class ListPage(Struct, frozen=True, kw_only=True):
    """One page of a list."""

    batches: tuple[StatusRecord, ...]
    next_cursor: str | None
    as_of_ms: int
    """Newest append time, Unix milliseconds, that the page reflects; 0 where the projection is empty."""
    open_letters: dict[str, int] = {}
    """Number of open dead letters by batch; batches without any are left out."""
    stale: str | None = None
    """Why the page is an old one, as a sentence; None if it was read now."""


class Numbers(Struct, frozen=True, kw_only=True):
    """Counts or stats, and what they reflect."""

    counts: StatusCounts
    as_of_ms: int
    stale: str | None = None


class _Kept(Struct, frozen=True):
    answer: Any
    as_of_ms: int
    units: int


class BatchLists:
    """Asks the projection for lists, counts, stats and ids. Use it on the event loop only.

    Methods raise `Problem` 503 where the database cannot be read and nothing is kept, and `InvalidCursor`. `behind_s`
    returns how far the projection is behind the log.
    """

    def __init__(
        self,
        projection: BoundedProjection,
        follower: KafkaLogFollower,
        *,
        behind_s: Callable[[], float] = lambda: 0.0,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._projection = projection
        self._follower = follower
        self._behind_s = behind_s
        self._clock_ms = clock_ms
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._units = 0
        self._failure: str | None = None
        self._as_of_ms = 0

    @property
    def stale(self) -> str | None:
        """What a page should say about the age of all lists, as a sentence; None if they are current."""
        if self._failure is not None or self._follower.projection_error is not None:
            return _lost(self._as_of_ms)
        behind_s = self._behind_s()
        if behind_s > BEHIND_S:
            return (
                f"Lists are {behind_s:.0f} s behind: the projector has not caught up. Decisions go on, and single "
                "batches are read from the log."
            )
        return None

    async def page(
        self,
        filters: BatchFilter = ANY_BATCH,
        visibility: Visibility = EVERYTHING,
        cursor: str | None = None,
        limit: int = 50,
        *,
        asked: Hashable = None,
    ) -> ListPage:
        """Return a page of the batches that fit, the newest registration first.

        `asked` is what the caller was asked for where the filter alone does not say it, because `24h` is another time
        each time: the last page under the same words is given while the database cannot be read.
        """

        def read(reader: Reader) -> ListPage:
            found = reader.list(filters, visibility, cursor=cursor, limit=limit)
            letters = reader.open_letters(tuple(batch.batch_id for batch in found.batches))
            return ListPage(
                batches=found.batches, next_cursor=found.next_cursor, as_of_ms=reader.as_of(), open_letters=letters
            )

        key = ("page", filters if asked is None else asked, visibility, cursor, limit)
        page, stale = await self._answer(key, read, lambda page: (page.as_of_ms, _units(page.batches)))
        return page if stale is None else _marked(page, stale)

    async def numbers(self, visibility: Visibility = EVERYTHING) -> Numbers:
        """Return the kept counts with the time that they reflect."""
        (counts, as_of_ms), stale = await self._answer(
            ("counts", visibility), lambda reader: (reader.counts(visibility), reader.as_of()), lambda got: (got[1], 10)
        )
        return Numbers(counts=counts, as_of_ms=as_of_ms, stale=stale)

    async def counts(self, visibility: Visibility = EVERYTHING) -> StatusCounts:
        """Return how many batches have each status, and each phase in each status."""
        return (await self.numbers(visibility)).counts

    async def stats(self, visibility: Visibility = EVERYTHING) -> Stats:
        """Return what runs, how fast it drains, and what is due; `as_of_ms` of an old answer is old."""
        now_ms = self._clock_ms()
        found, _ = await self._answer(
            ("stats", visibility), lambda reader: reader.stats(now_ms, visibility), lambda stats: (stats.as_of_ms, 100)
        )
        return found

    async def usuals(self) -> Mapping[str, Usual]:
        """Return how long each phase usually takes, by its name, in one query; phases that never ran are left out."""
        found, _ = await self._answer(("usuals",), lambda reader: reader.usuals(), lambda usuals: (0, len(usuals)))
        return found

    async def count(self, filters: BatchFilter, visibility: Visibility = EVERYTHING, *, most: int) -> int:
        """Return how many batches fit, at most `most`. It is never an old answer: it precedes an action."""
        return await self._read(lambda reader: reader.count(filters, visibility, most=most))

    async def ids(
        self,
        filters: BatchFilter,
        visibility: Visibility = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 1_000,
    ) -> tuple[tuple[str, ...], str | None]:
        """Return the ids of batches that fit, the oldest first, and the cursor of what follows; never an old answer."""
        return await self._read(lambda reader: reader.ids(filters, visibility, cursor=cursor, limit=limit))

    async def resolve(self, text: str) -> Resolved | None:
        """Return what an id, or a unique prefix of at least 6 characters, stands for; None where none or many."""
        return await self._read(lambda reader: reader.resolve(text))

    async def _answer(
        self, key: Hashable, query: Callable[[Reader], Answer], weigh: Callable[[Answer], tuple[int, int]]
    ) -> tuple[Answer, str | None]:
        """Return the answer to a query and None, or the last answer and why it is old."""
        kept = self._kept.get(key)
        if kept is not None and self._follower.projection_error is not None:
            return kept.answer, _lost(kept.as_of_ms)  # at once: the database has just been asked in vain
        try:
            found = await self._read(query)
        except Problem:
            if kept is None:
                raise
            return kept.answer, _lost(kept.as_of_ms)
        self._keep(key, found, *weigh(found))
        return found, None

    async def _read(self, query: Callable[[Reader], Answer]) -> Answer:
        try:
            found = await self._projection.read(query)
        except InvalidCursor:
            raise
        except OrchestratorError as error:
            self._failure = error.message
            raise _unreadable(error) from error
        self._failure = None
        return found

    def _keep(self, key: Hashable, answer: Any, as_of_ms: int, units: int) -> None:
        self._as_of_ms = max(self._as_of_ms, as_of_ms)
        before = self._kept.pop(key, None)
        self._units += units - (0 if before is None else before.units)
        self._kept[key] = _Kept(answer, as_of_ms, units)
        while len(self._kept) > _MOST_KEPT or self._units > _MOST_KEPT_UNITS:
            _, oldest = self._kept.popitem(last=False)
            self._units -= oldest.units


def _units(batches: tuple[StatusRecord, ...]) -> int:
    return sum(10 + len(batch.phases) + len(batch.failed_essays) + len(batch.file_failures) for batch in batches)


def _marked(page: ListPage, stale: str) -> ListPage:
    return ListPage(
        batches=page.batches,
        next_cursor=page.next_cursor,
        as_of_ms=page.as_of_ms,
        open_letters=page.open_letters,
        stale=stale,
    )


def _lost(as_of_ms: int) -> str:
    since = f"Lists are from {timestamp(as_of_ms)}" if as_of_ms else "Lists cannot be read"
    return (
        f"{since}: the projection database cannot be read. Decisions go on, and single batches are read from the log."
    )


def _unreadable(error: OrchestratorError) -> Problem:
    return not_ready(
        f"Lists cannot be read now: {error.message}",
        next_step="Send the request again in a moment. Single batches can be read: /v1/batches/ID/status.",
        retry_after_s=5,
    )
