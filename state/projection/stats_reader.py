"""Numbers of batches: kept ones, read by their keys."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, literal, select

from schemas.internal.enums import PhaseStatus
from schemas.internal.records import decode_status
from state.explanation.model import Usual
from state.projection import tables
from state.projection.batch_models import (
    EVERYTHING,
    MINUTE_MS,
    NEVER_RUN,
    POINTS,
    Attention,
    Due,
    PhaseStats,
    Stats,
    StatusCounts,
    Visibility,
)
from state.projection.batch_reader import BatchReader
from state.projection.batch_rows import ending_deadline
from state.projection.engine import reading
from state.projection.sql import asked, indexed, select_by_batch
from state.projection.tallies import ALL, quantile, scope_of, scopes

_DRAIN_MINUTES = 5
"""Minutes, the present one apart, over which the rate is measured by which the end is estimated."""
_SHOWN_DEADLINES = 5
_batches, _tallies, _minutes = tables.batches.c, tables.tallies.c, tables.stats_minute.c


class _Tallied(NamedTuple):
    """The tallies of some scopes: counts, and essays in flight by phase."""

    counts: StatusCounts
    live: int
    missed: int
    essays: Mapping[str, int]


Curves = Mapping[tuple[str, str], tuple[int, ...]]
"""Points of the last hour, the oldest first, by kind and name."""


class StatsReader(BatchReader):
    """The kept numbers of the projection."""

    def counts(self, visibility: Visibility = EVERYTHING) -> StatusCounts:
        """Return how many batches have each status, how many each phase in each status, and how many need a person."""
        with reading(self._engine) as connection:
            return _tallied(connection, visibility, self._clock_ms()).counts

    def usuals(self) -> Mapping[str, Usual]:
        """Return how long the runs of each phase that succeeded took."""
        with reading(self._engine) as connection:
            return _usual(connection)

    def stats(self, now_ms: int, visibility: Visibility = EVERYTHING) -> Stats:
        """Return what runs, how fast it drains, and what is due."""
        with reading(self._engine) as connection:
            tallied = _tallied(connection, visibility, now_ms)
            curves, usual = _curves(connection, visibility, now_ms), _usual(connection)
            oldest = {
                phase: _oldest_start(connection, phase, visibility)
                for phase, statuses in tallied.counts.phases.items()
                if PhaseStatus.DISPATCH_INITIATED.value in statuses
            }
            return Stats(
                now_ms=now_ms,
                as_of_ms=connection.execute(select(func.max(tables.offsets.c.time_ms))).scalar_one() or 0,
                counts=tallied.counts,
                live=tallied.live,
                phases=tuple(
                    _phase(phase, tallied, oldest.get(phase), curves, usual.get(phase, NEVER_RUN), now_ms)
                    for phase in sorted(tallied.counts.phases)
                ),
                registered=_sum(curves, "registered"),
                ended=_sum(curves, "ended"),
                dispositions={name: sum(points) for (kind, name), points in curves.items() if kind == "disposition"},
                next_deadlines=_due(connection, visibility, _batches.next_deadline_ms >= now_ms),
                overdue=_due(connection, visibility, _batches.next_deadline_ms < now_ms),
                missed=tallied.missed,
            )


def _phase(
    phase: str, tallied: _Tallied, oldest_start_ms: int | None, curves: Curves, usual: Usual, now_ms: int
) -> PhaseStats:
    drained, essays = curves.get(("drained", phase), (0,) * POINTS), tallied.essays.get(phase, 0)
    rate = sum(drained[-1 - _DRAIN_MINUTES : -1]) / _DRAIN_MINUTES
    return PhaseStats(
        phase=phase,
        batches=tallied.counts.phases[phase].get(PhaseStatus.DISPATCH_INITIATED.value, 0),
        essays=essays,
        oldest_start_ms=oldest_start_ms,
        drained=drained,
        drain_per_minute=rate,
        eta_ms=now_ms + round(essays / rate * MINUTE_MS) if essays and rate else None,
        failed_last_hour=sum(curves.get(("lost", phase), ())),
        usual=usual,
    )


def _tallied(connection: Connection, visibility: Visibility, now_ms: int) -> _Tallied:
    batches: dict[str, int] = {}
    flags: dict[str, int] = {}
    reasons: dict[str, int] = {}
    essays: dict[str, int] = {}
    phases: dict[str, dict[str, int]] = {}
    kinds = {"batch": batches, "flag": flags, "attention": reasons}
    query = select(_tallies.kind, _tallies.phase, _tallies.name, _tallies.n).where(
        _tallies.scope.in_(_scopes(connection, visibility)), _tallies.kind.in_((*kinds, "phase", "essays"))
    )
    for kind, phase, name, n in connection.execute(query):
        if kind == "essays":
            essays[phase] = essays.get(phase, 0) + n
        elif n:
            found = phases.setdefault(phase, {}) if kind == "phase" else kinds[kind]
            found[name] = found.get(name, 0) + n
    failed = _failed(connection, visibility, now_ms)
    if failed:
        reasons[Attention.FAILED.value] = failed
    shown = {name: flags.get(name, 0) for name in ("stalled", "held", "paused")}
    counts = StatusCounts(batches=batches, phases=phases, **shown, attention=sum(reasons.values()), reasons=reasons)
    return _Tallied(counts, flags.get("live", 0), flags.get("missed", 0), essays)


def _scopes(connection: Connection, visibility: Visibility) -> list[int]:
    """Return the scopes whose numbers add up to those of a visibility."""
    scope = scope_of(visibility)
    if scope is not None:
        return [scope]
    subject = visibility.owner_subject or ""
    organisations = select(_batches.owner_organisation).where(_batches.owner_subject == subject).distinct()
    return [scopes(organisation, subject)[-1] for organisation in connection.execute(organisations).scalars()]


def _failed(connection: Connection, visibility: Visibility, now_ms: int) -> int:
    query = select(func.count()).select_from(tables.batches).where(_batches.attention_until_ms > now_ms)
    query = indexed(query, tables.batches, "batches_attention_until")
    found: int = connection.execute(query.where(*visible(visibility))).scalar_one()
    return found


def visible(visibility: Visibility) -> list[ColumnElement[bool]]:
    """Return what holds for rows of `batches` that may be seen."""
    limits = {
        _batches.owner_subject: visibility.owner_subject,
        _batches.owner_organisation: visibility.owner_organisation,
    }
    return [column == asked(value) for column, value in limits.items() if value is not None]


def _curves(connection: Connection, visibility: Visibility, now_ms: int) -> Curves:
    last = now_ms // MINUTE_MS
    first = last - POINTS + 1
    query = select(_minutes.minute, _minutes.kind, _minutes.name, _minutes.n).where(
        _minutes.minute.in_(range(first, last + 1)), _minutes.scope.in_(_scopes(connection, visibility))
    )
    found: dict[tuple[str, str], list[int]] = {}
    for minute, kind, name, n in connection.execute(query):
        found.setdefault((kind, name), [0] * POINTS)[minute - first] += n
    return {key: tuple(points) for key, points in found.items()}


def _sum(curves: Curves, kind: str) -> tuple[int, ...]:
    same = [points for (other, _), points in curves.items() if other == kind]
    return tuple(map(sum, zip(*same, strict=True))) if same else (0,) * POINTS


def _usual(connection: Connection) -> dict[str, Usual]:
    query = select(_tallies.phase, _tallies.name, _tallies.n).where(_tallies.scope == ALL, _tallies.kind == "took")
    found: dict[str, list[tuple[int, int]]] = {}
    for name, bucket, n in connection.execute(query.where(_tallies.n > 0)):
        found.setdefault(name, []).append((int(bucket), n))
    return {
        name: Usual(quantile(buckets, 0.5), quantile(buckets, 0.95), sum(n for _, n in buckets))
        for name, buckets in found.items()
    }


def _oldest_start(connection: Connection, phase: str, visibility: Visibility) -> int | None:
    columns = tables.phases.c
    # In the text of the statement: a database sees that the partial index fits before it has the values.
    running = columns.status == literal(PhaseStatus.DISPATCH_INITIATED.value, literal_execute=True)
    query = select(columns.started_ms).where(columns.phase == phase, running, columns.started_ms.is_not(None))
    if visibility != EVERYTHING:
        seen = select(literal(1)).select_from(tables.batches).where(_batches.batch_id == columns.batch_id)
        query = query.where(seen.where(*visible(visibility)).exists())
    found: int | None = connection.execute(
        indexed(query, tables.phases, "phases_running").order_by(columns.started_ms).limit(1)
    ).scalar_one_or_none()
    return found


def _due(connection: Connection, visibility: Visibility, wanted: ColumnElement[bool]) -> tuple[Due, ...]:
    query = select(_batches.batch_id).where(wanted, *visible(visibility)).order_by(_batches.next_deadline_ms)
    query = indexed(query, tables.batches, "batches_due").limit(_SHOWN_DEADLINES)
    ids = connection.execute(query).scalars().all()
    snapshots = tables.snapshots.c
    return tuple(_deadlines(select_by_batch(connection, (snapshots.snapshot, snapshots.batch_id), ids)))


def _deadlines(rows: Iterable[tuple[str, str]]) -> list[Due]:
    records = [decode_status(row[0].encode()) for row in rows]
    found = [
        Due(batch_id=record.batch_id, due_ms=clock.due_ms, kind=clock.kind, phase=clock.phase)
        for record in records
        if (clock := ending_deadline(record)) is not None
    ]
    return sorted(found, key=lambda each: (each.due_ms, each.batch_id))
