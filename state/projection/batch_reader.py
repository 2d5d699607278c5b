"""Lists and numbers of batches."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from time import time_ns

from sqlalchemy import ColumnElement, Engine, func, select

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason, PhaseStatus
from schemas.internal.records import decode_status
from schemas.internal.status import StatusRecord
from state.projection import tables
from state.projection.batch_models import (
    ANY_BATCH,
    DAY_MS,
    EVERYTHING,
    HOUR_MS,
    MINUTE_MS,
    NEVER_RUN,
    POINTS,
    SHORTEST_PREFIX,
    Attention,
    BatchFilter,
    BatchPage,
    Due,
    IdKind,
    PhaseStats,
    Resolved,
    Stats,
    StatusCounts,
    Usual,
    Visibility,
)
from state.projection.cursors import CursorCodec
from state.projection.engine import reading

_cursor = CursorCodec(tuple[int, str])
_CLOCKS = (DeadlineKind.PHASE, DeadlineKind.NEVER_PROVISIONED, DeadlineKind.HOLD)


class BatchReader:
    """The batches of the projection."""

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = lambda: time_ns() // 1_000_000) -> None:
        self._engine = engine
        self._clock_ms = clock_ms

    def list(
        self,
        filters: BatchFilter = ANY_BATCH,
        visibility: Visibility = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 50,
        newest_first: bool = True,
    ) -> BatchPage:
        """Return the batches that fit, in the order of their registration. Raises `InvalidCursor`."""
        found = list(self._fitting(filters, visibility))
        found.sort(key=_place, reverse=newest_first)
        if cursor is not None:
            after = _cursor.decode(cursor)
            found = [each for each in found if (_place(each) < after) is newest_first and _place(each) != after]
        page = tuple(found[:limit])
        return BatchPage(page, _cursor.encode(_place(page[-1])) if len(found) > limit else None)

    def ids(
        self,
        filters: BatchFilter = ANY_BATCH,
        visibility: Visibility = EVERYTHING,
        *,
        cursor: str | None = None,
        limit: int = 1_000,
    ) -> tuple[tuple[str, ...], str | None]:
        """Return the ids of the batches that fit, the oldest first, and the cursor of what follows."""
        page = self.list(filters, visibility, cursor=cursor, limit=limit, newest_first=False)
        return tuple(batch.batch_id for batch in page.batches), page.next_cursor

    def count(self, filters: BatchFilter = ANY_BATCH, visibility: Visibility = EVERYTHING, *, most: int) -> int:
        """Return how many batches fit, at most `most`."""
        return min(most, sum(1 for _ in self._fitting(filters, visibility)))

    def counts(self, visibility: Visibility = EVERYTHING) -> StatusCounts:
        """Return how many batches have each status, how many each phase in each status, and how many need a person."""
        seen = list(self._fitting(ANY_BATCH, visibility))
        phases: dict[str, Counter[str]] = {}
        for batch in seen:
            for name, view in batch.phases.items():
                phases.setdefault(name, Counter())[view.status.value] += 1
        letters = self._troubled(tables.dead_letters.c.batch_id, tables.dead_letters.c.state == "open")
        breaks = self._troubled(tables.chain_breaks.c.batch_id)
        reasons = Counter(
            reason.value for batch in seen if (reason := self._attention(batch, letters, breaks)) is not None
        )
        return StatusCounts(
            batches=dict(Counter(batch.status.value for batch in seen)),
            phases={name: dict(found) for name, found in phases.items()},
            stalled=sum(batch.stalled for batch in seen),
            held=sum(batch.held for batch in seen),
            paused=sum(batch.pause is not None for batch in seen),
            attention=reasons.total(),
            reasons=dict(reasons),
        )

    def stats(self, now_ms: int, visibility: Visibility = EVERYTHING) -> Stats:
        """Return what runs, how fast it drains, and what is due."""
        live = list(self._fitting(BatchFilter(ended=False), visibility))
        every = list(self._fitting(ANY_BATCH, visibility))
        names = dict.fromkeys(name for batch in every for name in batch.phases)
        due = sorted(
            (
                Due(batch_id=batch.batch_id, due_ms=clock.due_ms, kind=clock.kind, phase=clock.phase)
                for batch in live
                for clock in batch.deadlines
                if clock.kind in _CLOCKS
            ),
            key=lambda each: each.due_ms,
        )
        return Stats(
            now_ms=now_ms,
            as_of_ms=self.as_of(),
            counts=self.counts(visibility),
            live=len(live),
            phases=tuple(self._phase(name, every, now_ms) for name in names),
            registered=_points((batch.registered_ms for batch in every), now_ms),
            ended=_points((batch.ended_ms for batch in every if batch.ended_ms is not None), now_ms),
            dispositions=self._dispositions(now_ms) if visibility == EVERYTHING else {},
            next_deadlines=tuple(each for each in due if each.due_ms >= now_ms)[:5],
            overdue=tuple(each for each in due if each.due_ms < now_ms)[:5],
            missed=sum(_missed(batch) for batch in live),
        )

    def usual(self, phase: str) -> Usual:
        """Return how long the runs of a phase that succeeded took."""
        took = sorted(
            view.completed_ms - view.started_ms
            for batch in self._fitting(ANY_BATCH, EVERYTHING)
            if (view := batch.phases.get(phase)) is not None
            and view.status.succeeded
            and view.started_ms is not None
            and view.completed_ms is not None
        )
        if not took:
            return NEVER_RUN
        return Usual(took[len(took) // 2], took[min(len(took) - 1, len(took) * 95 // 100)], len(took))

    def resolve(self, text: str) -> Resolved | None:
        """Return what an id stands for, whole or a unique prefix of at least 6 characters; None where none or many."""
        found = {(each.kind, each.id): each for each in self._candidates(text)}
        whole = [each for each in found.values() if each.id == text]
        if whole:
            return whole[0]
        return next(iter(found.values())) if len(found) == 1 and len(text) >= SHORTEST_PREFIX else None

    def as_of(self) -> int:
        """Return the newest append time that the projection reflects, Unix milliseconds; 0 where it is empty."""
        queries = (select(func.max(tables.history.c.time_ms)), select(func.max(tables.batches.c.updated_ms)))
        with reading(self._engine) as connection:
            return max(connection.execute(query).scalar_one() or 0 for query in queries)

    def open_letters(self, batch_ids: tuple[str, ...]) -> dict[str, int]:
        """Return how many open dead letters each of these batches has; those without are left out."""
        columns = tables.dead_letters.c
        query = select(columns.batch_id, func.count()).where(columns.state == "open", columns.batch_id.in_(batch_ids))
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(columns.batch_id))}

    def _fitting(self, filters: BatchFilter, visibility: Visibility) -> Iterator[StatusRecord]:
        letters = self._troubled(tables.dead_letters.c.batch_id, tables.dead_letters.c.state == "open")
        breaks = self._troubled(tables.chain_breaks.c.batch_id)
        with reading(self._engine) as connection:
            snapshots = connection.execute(select(tables.batches.c.snapshot)).scalars().all()
        for snapshot in snapshots:
            batch = decode_status(snapshot.encode())
            attention = self._attention(batch, letters, breaks) is not None
            if _visible(batch, visibility) and _fits(batch, filters) and filters.attention in (None, attention):
                yield batch

    def _troubled(self, batch_id: ColumnElement[str], *wanted: ColumnElement[bool]) -> set[str]:
        with reading(self._engine) as connection:
            return set(connection.execute(select(batch_id).where(*wanted)).scalars())

    def _attention(self, batch: StatusRecord, letters: set[str], breaks: set[str]) -> Attention | None:
        if batch.batch_id in breaks:
            return Attention.CHAIN_BREAK
        if batch.batch_id in letters:
            return Attention.DEAD_LETTER
        if batch.held:
            return Attention.HELD
        if batch.stalled:
            return Attention.STALLED
        if batch.ended_ms is None:
            return Attention.DEADLINE_MISSED if _missed(batch) else None
        failed = batch.status is BatchStatus.FAILED_CRITICALLY and batch.ended_ms > self._clock_ms() - DAY_MS
        return Attention.FAILED if failed else None

    def _dispositions(self, now_ms: int) -> dict[str, int]:
        columns = tables.history.c
        query = select(columns.disposition, func.count()).where(columns.time_ms > now_ms - HOUR_MS)
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(columns.disposition))}

    def _phase(self, name: str, every: Sequence[StatusRecord], now_ms: int) -> PhaseStats:
        views = [batch.phases[name] for batch in every if name in batch.phases]
        running = [view for view in views if view.status is PhaseStatus.DISPATCH_INITIATED]
        essays = sum(view.commanded - view.succeeded - view.failed - view.unaccounted for view in running)
        ends = [view for view in views if view.status.terminal and view.completed_ms is not None and view.started_ms]
        drained = _points((view.completed_ms or 0 for view in ends for _ in range(view.commanded)), now_ms)
        rate = sum(drained[-5:]) / 5
        return PhaseStats(
            phase=name,
            batches=len(running),
            essays=essays,
            oldest_start_ms=min((view.started_ms for view in running if view.started_ms is not None), default=None),
            drained=drained,
            drain_per_minute=rate,
            eta_ms=now_ms + int(essays / rate * MINUTE_MS) if rate and essays else None,
            failed_last_hour=sum(
                view.failed + view.unaccounted for view in ends if (view.completed_ms or 0) > now_ms - HOUR_MS
            ),
            usual=self.usual(name),
        )

    def _candidates(self, text: str) -> Iterator[Resolved]:
        letters, history = tables.dead_letters.c, tables.history.c
        for batch in self._fitting(ANY_BATCH, EVERYTHING):
            if batch.batch_id.startswith(text):
                yield Resolved(kind=IdKind.BATCH, id=batch.batch_id, batch_id=batch.batch_id)
            elif batch.correlation_id.startswith(text):
                yield Resolved(kind=IdKind.CORRELATION, id=batch.correlation_id, batch_id=batch.batch_id)
        with reading(self._engine) as connection:
            found = select(letters.id, letters.batch_id).where(letters.id.startswith(text, autoescape=True))
            for row in connection.execute(found):
                yield Resolved(kind=IdKind.DEAD_LETTER, id=row.id, batch_id=row.batch_id)
            requests = select(history.request_id, history.batch_id).where(
                history.request_id.startswith(text, autoescape=True)
            )
            for row in connection.execute(requests):
                yield Resolved(kind=IdKind.REQUEST, id=row.request_id, batch_id=row.batch_id)


def _place(batch: StatusRecord) -> tuple[int, str]:
    return batch.registered_ms, batch.batch_id


def _missed(batch: StatusRecord) -> bool:
    return any(view.reason is PhaseReason.DEADLINE_MISSED for view in batch.phases.values())


def _visible(batch: StatusRecord, visibility: Visibility) -> bool:
    return visibility.owner_subject in (None, batch.owner_subject) and visibility.owner_organisation in (
        None,
        batch.owner_organisation,
    )


def _fits(batch: StatusRecord, filters: BatchFilter) -> bool:
    exact = (
        (filters.owner, batch.owner_subject),
        (filters.organisation, batch.context.org_id),
        (filters.user, batch.context.user_id),
        (filters.course, batch.context.course_code_given),
        (filters.pipeline, batch.pipeline),
        (filters.stalled, batch.stalled),
        (filters.held, batch.held),
        (filters.paused, batch.pause is not None),
        (filters.ended, batch.ended_ms is not None),
    )
    ranges = (
        (filters.created_from_ms, filters.created_before_ms, batch.registered_ms),
        (filters.updated_from_ms, filters.updated_before_ms, batch.updated_ms),
    )
    return (
        all(wanted is None or wanted == value for wanted, value in exact)
        and all((low is None or value >= low) and (high is None or value < high) for low, high, value in ranges)
        and (not filters.status or batch.status in filters.status)
        and _fits_phase(batch, filters)
        and _fits_due(batch, filters.due_before_ms)
    )


def _fits_phase(batch: StatusRecord, filters: BatchFilter) -> bool:
    if filters.phase is None and filters.phase_status is None:
        return True
    return any(
        filters.phase in (None, name) and filters.phase_status in (None, view.status)
        for name, view in batch.phases.items()
    )


def _fits_due(batch: StatusRecord, before_ms: int | None) -> bool:
    return before_ms is None or any(
        clock.kind in _CLOCKS and clock.due_ms < before_ms for clock in batch.deadlines if batch.ended_ms is None
    )


def _points(times: Iterator[int], now_ms: int) -> tuple[int, ...]:
    first = now_ms // MINUTE_MS - POINTS + 1
    found = Counter(at // MINUTE_MS - first for at in times)
    return tuple(found[index] for index in range(POINTS))
